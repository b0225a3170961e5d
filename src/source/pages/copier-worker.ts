// Entry of a copier's worker: listens for its page connection, greets it, and copies the rounds it is told to.
// Nobody imports this file; copiers.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, asMicrostunError, type MicrostunError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { Door, type Caller } from '../../shared/wire/door.js';
import type { Address } from '../../shared/wire/sockets.js';
import { giveWay } from '../../shared/thread-priority.js';
import { Copier, type RoundShare } from './copier.js';
import type { ConnectionBytes } from './page-line.js';
import { CopierWords } from './copier-words.js';

export interface CopierWorkerData {
  readonly memory: MemoryHandle;
  readonly listen: Address;
  readonly migrationId: string;
  /** This copier's number and how many there are. */
  readonly index: number;
  readonly copiers: number;
  /** `CopierWords`. */
  readonly words: SharedArrayBuffer;
  /** This connection's share of the bandwidth, if it is capped. */
  readonly bytesPerSecond: number | undefined;
}

export type CopierRequest =
  { readonly kind: 'copy-round'; readonly round: number; readonly flags: number } | { readonly kind: 'exit' };

export type CopierMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'connected' }
  | { readonly kind: 'round-placed'; readonly share: RoundShare; readonly bytes: ConnectionBytes }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

/** How often it is looked how much the kernel took. */
const LOOK_MS = 500;

const port = parentPort;
assert(port !== null, 'copier-worker.ts runs as a worker');
giveWay();
const {
  memory,
  listen: where,
  migrationId,
  index,
  copiers,
  words,
  bytesPerSecond,
} = workerData as CopierWorkerData;
const views = viewMemory(memory);
const progress = new CopierWords(words);

const tell = (message: CopierMessage): void => {
  port.postMessage(message);
};
const lose = (error: MicrostunError): void => {
  tell({ kind: 'lost', code: error.code, reason: error.message });
};

const copier = new Copier(views, { first: index, stride: copiers }, bytesPerSecond, lose);
setInterval(() => {
  progress.movedBytes = copier.movedBytes;
}, LOOK_MS).unref();

const door = new Door({ called: admit });
const address = await door.open(where);
tell({ kind: 'listening', port: address.port });

port.on('message', (request: CopierRequest) => {
  if (request.kind === 'exit') {
    copier.end();
    door.close();
    port.close();
    return;
  }
  copier.copyRound(request.round, request.flags, progress).then(
    (share) => {
      tell({ kind: 'round-placed', share, bytes: copier.bytes });
    },
    (error: unknown) => {
      lose(asMicrostunError(error, 'PROTOCOL'));
    },
  );
});

function admit(caller: Caller): void {
  const { hello } = caller;
  if (hello.role !== 'pages' || hello.migrationId !== migrationId || hello.index !== index) {
    caller.refuse(
      'UNKNOWN_MIGRATION',
      `no page connection ${hello.index} of migration ${hello.migrationId} is expected here`,
    );
    return;
  }
  copier.attach(caller.welcome(), hello);
  tell({ kind: 'connected' });
}
