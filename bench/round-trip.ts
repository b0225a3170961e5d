// A bare round trip on the loopback without microstun: a request of a fault's size, a page in answer, two Node processes.
// This file is also the answering process: `node round-trip.js`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { PAGE_BYTES } from '../src/shared/memory/pages.js';

const ownFile = fileURLToPath(import.meta.url);
const REQUEST_BYTES = 20;
const WARM_UPS = 500;

/** Microseconds of each of `count` round trips. */
export async function measureRoundTrips(count = 2000): Promise<number[]> {
  const child = fork(ownFile, [], { stdio: 'inherit' });
  try {
    const [port] = (await once(child, 'message')) as [number];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const request = Buffer.alloc(REQUEST_BYTES, 1);
    const tripsUs: number[] = [];
    let answered: () => void = () => undefined;
    let read = 0;
    socket.on('data', (chunk) => {
      read += chunk.length;
      if (read < PAGE_BYTES) return;
      read -= PAGE_BYTES;
      answered();
    });
    for (let trip = -WARM_UPS; trip < count; trip++) {
      const from = performance.now();
      await new Promise<void>((resolve) => {
        answered = resolve;
        socket.write(request);
      });
      if (trip >= 0) tripsUs.push((performance.now() - from) * 1000);
    }
    socket.destroy();
    return tripsUs;
  } finally {
    child.kill();
    await once(child, 'close');
  }
}

function answer(): void {
  const page = Buffer.alloc(PAGE_BYTES, 1);
  const server = createServer({ noDelay: true }, (socket) => {
    let read = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (read += chunk.length; read >= REQUEST_BYTES; read -= REQUEST_BYTES) socket.write(page);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    process.send?.((server.address() as { port: number }).port);
  });
}

if (process.argv[1] === ownFile) answer();
