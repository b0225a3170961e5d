// Entry of the page server's worker: answers remote page faults from the memory of a guest that has left.
// Nobody imports this file; page-server.ts starts it.
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { assert, asMicrostunError, MicrostunError, messageOf, ProtocolError } from '../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../shared/memory/layout.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from '../shared/wire/frames.js';
import { Door, type Caller } from '../shared/wire/door.js';
import { decodeMark, encodePageSent } from '../shared/wire/page-frames.js';
import { endSocket, type Address } from '../shared/wire/sockets.js';
import { Pacer } from './pacer.js';

export interface PageServerWorkerData {
  readonly memory: MemoryHandle;
  readonly listen: Address;
  readonly migrationId: string;
  /** Caps what the fault connection sends; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** One double that only this worker writes: bytes that faults took so far. */
  readonly progress: SharedArrayBuffer;
}

export interface PageServerRequest {
  readonly kind: 'exit';
}

/** What the fault connections carried, over all of them. */
export interface FaultBytes {
  /** Pages with their frames, and the requests for them. */
  readonly faults: number;
  readonly control: number;
  readonly socket: number;
  /** How often the connection was cut and made again, or lost for good. */
  readonly cuts: number;
}

export type PageServerMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'connected' }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string }
  | { readonly kind: 'ended'; readonly bytes: FaultBytes };

const port = parentPort;
assert(port !== null, 'page-server-worker.ts runs as a worker');
const own = workerData as PageServerWorkerData;
const views = viewMemory(own.memory);
const pacer = own.bytesPerSecond === undefined ? undefined : new Pacer(own.bytesPerSecond);
/** Answers that the bandwidth holds back, one after the other. */
let pending = Promise.resolve();
let current: Socket | undefined;
let faults = 0;
const progress = new Float64Array(own.progress);
let control = 0;
let closedSocketBytes = 0;
let connections = 0;
/** Whether the last connection was lost with something half said. The destination hangs up in order when it is done. */
let wasCutShort = false;

const tell = (message: PageServerMessage): void => {
  port.postMessage(message);
};

const door = new Door({ called: admit });
const address = await door.open(own.listen);
tell({ kind: 'listening', port: address.port });

port.on('message', () => {
  const last = current;
  drop();
  if (last !== undefined) endSocket(last);
  const cuts = Math.max(0, connections - 1) + (wasCutShort ? 1 : 0);
  tell({ kind: 'ended', bytes: { faults, control, socket: closedSocketBytes, cuts } });
  door.close();
  port.close();
});

function admit(caller: Caller): void {
  const { hello } = caller;
  if (hello.role !== 'faults' || hello.migrationId !== own.migrationId) {
    caller.refuse(
      'UNKNOWN_MIGRATION',
      `no fault connection of migration ${hello.migrationId} is expected here`,
    );
    return;
  }
  // A destination that comes again has lost its old connection, whether or not that is known here.
  connections++;
  wasCutShort = false;
  current?.destroy();
  drop();
  const { socket, greetingBytes } = caller.welcome();
  current = socket;
  const reader = new FrameReader(['PAGE_WANTED']);
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of reader.consume(chunk)) serve(socket, frame);
    } catch (error) {
      lose(socket, reader, asMicrostunError(error, 'PROTOCOL'));
    }
  });
  socket.on('error', (error) => {
    lose(
      socket,
      reader,
      new MicrostunError('CONNECTION_LOST', `the fault connection was lost: ${messageOf(error)}`, {
        cause: error,
      }),
    );
  });
  socket.on('close', () => {
    lose(
      socket,
      reader,
      new MicrostunError('CONNECTION_LOST', 'the fault connection was closed by the destination'),
    );
  });
  control += greetingBytes;
  socket.resume();
  tell({ kind: 'connected' });
}

// Requests are answered at once and in order; the guest is gone, so its pages do not change any more.
function serve(socket: Socket, { header, body }: Frame): void {
  if (header.name !== 'PAGE_WANTED')
    throw new ProtocolError(`the destination sent ${header.name} on the fault connection`);
  const [page] = decodeMark(body);
  if (page >= views.pageCount)
    throw new ProtocolError(`page ${page} lies outside of a guest of ${views.pageCount} pages`);
  const answer = encodePageSent(page, views.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  // The push need not bring it any more. Over-pushing is harmless: the destination places a page once.
  Atomics.and(views.dirtyWords, page >>> 5, ~(1 << (page & 31)));
  faults += FRAME_HEADER_BYTES + body.length + answer.length;
  progress[0] = faults;
  if (pacer === undefined) {
    socket.write(answer);
    return;
  }
  pending = pending.then(async () => {
    await pacer.take(answer.length);
    // On a connection that was lost meanwhile the page is asked for again.
    if (!socket.destroyed) socket.write(answer);
  });
}

function lose(socket: Socket, reader: FrameReader, error: MicrostunError): void {
  if (current !== socket) return;
  wasCutShort = error.code === 'PROTOCOL' || socket.writableLength > 0 || reader.pendingBytes > 0;
  drop();
  socket.destroy();
  tell({ kind: 'lost', code: error.code, reason: error.message });
}

function drop(): void {
  if (current !== undefined) closedSocketBytes += current.bytesRead + current.bytesWritten;
  current = undefined;
}
