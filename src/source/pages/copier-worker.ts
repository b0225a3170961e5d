// Entry of a copier's worker: listens for its page connection, greets it, and copies the rounds it is told to.
// Nobody imports this file; copiers.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, asMicrostunError, type MicrostunError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { connectionEnd } from '../../shared/wire/connection-end.js';
import { NOTHING_ARRIVED } from '../../shared/wire/greeting.js';
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
const tellLost = (error: MicrostunError): void => {
  tell({ kind: 'lost', code: error.code, reason: error.message });
};

const copier = new Copier(views, { first: index, stride: copiers }, bytesPerSecond);
setInterval(() => {
  progress.movedBytes = copier.movedBytes;
}, LOOK_MS).unref();

const end = connectionEnd('awaited', {
  names: { own: 'a page connection', peer: 'the destination' },
  role: 'pages',
  migrationId,
  index,
  isReadInPlace: false,
  listenFlag: '--listen',
  arrived: () => NOTHING_ARRIVED,
  up: (connection, arrived) => {
    tell({ kind: 'connected' });
    return copier.attach(connection, arrived);
  },
  lost: (error) => {
    copier.lose(error);
    tellLost(error);
  },
});
const address = await end.open(where);
tell({ kind: 'listening', port: address.port });

port.on('message', (request: CopierRequest) => {
  if (request.kind === 'exit') {
    copier.end();
    end.leave();
    port.close();
    return;
  }
  copier.copyRound(request.round, request.flags, progress).then(
    (share) => {
      tell({ kind: 'round-placed', share, bytes: copier.bytes });
    },
    (error: unknown) => {
      tellLost(asMicrostunError(error, 'PROTOCOL'));
    },
  );
});
