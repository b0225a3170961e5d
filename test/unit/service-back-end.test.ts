// A service's clients on real sockets, served by hand: who waits for a slot, and when it is looked for.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ServiceBackEnd } from '../../src/shared/devices/service-back-end.js';
import { REGISTERS_PER_DEVICE } from '../../src/shared/guest/devices/device-state.js';
import { deviceWindowsOf } from '../../src/shared/guest/devices/device-windows.js';
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { StreamPorts } from '../../src/shared/guest/devices/stream-ports.js';
import { createGuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';

const spec = {
  memoryBytes: 1 << 20,
  devices: [{ name: 'echo', kind: 'service' as const, connections: 1, ringBytes: 4096 }],
};
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function newService() {
  const memory = createGuestMemory(viewMemory(allocateMemory(spec.memoryBytes)), {
    pageFires: 0,
    waitForPage: () => undefined,
  });
  let wake = (): void => undefined;
  const service = new ServiceBackEnd(
    new StreamPorts(memory, deviceWindowsOf(spec)[0]!),
    new Float64Array(REGISTERS_PER_DEVICE),
    () => {
      wake();
    },
  );
  service.serve();
  const { port } = await service.publish({ host: '127.0.0.1', port: 0 });
  closers.push(() => service.close());
  /** Resolves once `act` has given the service a reason to look. */
  const afterNews = async (act: () => void): Promise<void> => {
    const news = new Promise<void>((resolve) => {
      wake = resolve;
    });
    act();
    await news;
  };
  const join = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    closers.push(async () => {
      if (socket.closed) return;
      socket.destroy();
      await once(socket, 'close');
    });
    await afterNews(() => undefined);
    return socket;
  };
  return { service, streams: new GuestDevices(memory, spec).service('echo'), join, afterNews };
}

it('a client that waits for a slot has the one of a client that is gone as soon as the guest is done with it', async () => {
  const { service, streams, join, afterNews } = await newService();
  const first = await join();
  service.serve();
  await join();
  await afterNews(() => {
    first.resetAndDestroy();
  });
  while (streams.state(0) !== 'lost') {
    service.serve();
    await new Promise((resolve) => setImmediate(resolve));
  }
  streams.close(0);
  service.serve();
  expect(streams.state(0)).toBe('open');
});
