// Entry of the page server's worker: answers remote page faults from the memory of a guest that has left.
// Nobody imports this file; page-server.ts starts it.
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { assert, asMicrostunError, MicrostunError, messageOf } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { Door, type Caller } from '../../shared/wire/door.js';
import { endSocket, type Address } from '../../shared/wire/sockets.js';
import { FaultLedger } from './fault-ledger.js';
import { Pacer } from '../pages/pacer.js';
import { PageAnswers } from './page-answers.js';

export interface PageServerWorkerData {
  readonly memory: MemoryHandle;
  readonly listen: Address;
  readonly migrationId: string;
  /** Caps what the fault connection sends; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** One double that only this worker writes: bytes of requests so far. */
  readonly progress: SharedArrayBuffer;
  /** One word: 1 from before the hand-over is sent until the guest is taken back. Nothing may be asked for else. */
  readonly handedOver: SharedArrayBuffer;
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
const handedOver = new Int32Array(own.handedOver);
let current: { readonly socket: Socket; readonly greetingBytes: number } | undefined;
const ledger = new FaultLedger();
const progress = new Float64Array(own.progress);
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
  const last = current?.socket;
  drop();
  if (last !== undefined) endSocket(last);
  const cuts = Math.max(0, connections - 1) + (wasCutShort ? 1 : 0);
  const { faults, control, socket } = ledger;
  tell({ kind: 'ended', bytes: { faults, control, socket, cuts } });
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
  current?.socket.destroy();
  drop();
  const { socket, greetingBytes } = caller.welcome();
  current = { socket, greetingBytes };
  const answers = new PageAnswers(views, socket, () => Atomics.load(handedOver, 0) === 1, pacer);
  socket.on('data', (chunk: Buffer) => {
    progress[0]! += chunk.length;
    try {
      answers.take(chunk);
    } catch (error) {
      lose(socket, answers, asMicrostunError(error, 'PROTOCOL'));
    }
  });
  socket.on('error', (error) => {
    lose(
      socket,
      answers,
      new MicrostunError('CONNECTION_LOST', `the fault connection was lost: ${messageOf(error)}`, {
        cause: error,
      }),
    );
  });
  socket.on('close', () => {
    lose(
      socket,
      answers,
      new MicrostunError('CONNECTION_LOST', 'the fault connection was closed by the destination'),
    );
  });
  socket.resume();
  tell({ kind: 'connected' });
}

function lose(socket: Socket, answers: PageAnswers, error: MicrostunError): void {
  if (current?.socket !== socket) return;
  wasCutShort = error.code === 'PROTOCOL' || socket.writableLength > 0 || answers.pendingBytes > 0;
  drop();
  socket.destroy();
  tell({ kind: 'lost', code: error.code, reason: error.message });
}

// What the socket took is counted, not what was given to it.
function drop(): void {
  if (current !== undefined) ledger.noteClosed(current.socket, current.greetingBytes);
  current = undefined;
}
