// Entry of the page server's worker: answers remote page faults from the memory of a guest that has left.
// Nobody imports this file; page-server.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, type MicrostunError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import type { Connection, ConnectionNames } from '../../shared/wire/connection.js';
import { Door, type Caller } from '../../shared/wire/door.js';
import type { Address } from '../../shared/wire/sockets.js';
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
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string }
  | { readonly kind: 'ended'; readonly bytes: FaultBytes };

const NAMES: ConnectionNames = { own: 'the fault connection', peer: 'the destination' };

const port = parentPort;
assert(port !== null, 'page-server-worker.ts runs as a worker');
const own = workerData as PageServerWorkerData;
const views = viewMemory(own.memory);
const pacer = own.bytesPerSecond === undefined ? undefined : new Pacer(own.bytesPerSecond);
const handedOver = new Int32Array(own.handedOver);
let current: Connection | undefined;
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
  const last = current;
  drop();
  last?.end();
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
  const before = current;
  drop();
  before?.destroy();
  const connection = caller.welcome();
  current = connection;
  const answers = new PageAnswers(views, connection, () => Atomics.load(handedOver, 0) === 1, pacer);
  connection.own({
    names: NAMES,
    reads: {
      take: (chunk) => {
        progress[0]! += chunk.length;
        answers.take(chunk);
      },
    },
    lost: (error) => {
      wasCutShort = error.code === 'PROTOCOL' || connection.queuedBytes > 0 || answers.pendingBytes > 0;
      drop();
      tell({ kind: 'lost', code: error.code, reason: error.message });
    },
  });
}

// What the connection took is counted, not what was given to it.
function drop(): void {
  if (current !== undefined) ledger.noteClosed(current);
  current = undefined;
}
