// Entry of a copier's worker: has its page connection made, and copies the rounds it is told to.
// Nobody imports this file; copiers.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, asMicrostunError, MicrostunError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { connectionEnd, type EndKind } from '../../shared/wire/connection-end.js';
import { NOTHING_ARRIVED } from '../../shared/wire/greeting.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { Address } from '../../shared/wire/sockets.js';
import { giveWay } from '../../shared/thread-priority.js';
import { Copier, type RoundShare } from './copier.js';
import type { RoundKind } from './round-manner.js';
import type { ConnectionBytes } from './page-line.js';
import { CopierWords } from './copier-words.js';

export interface CopierWorkerData {
  readonly memory: MemoryHandle;
  /** Whether its connection is awaited, or dialled. */
  readonly end: EndKind;
  readonly pass: Pass;
  /** This copier's number and how many there are. */
  readonly index: number;
  readonly copiers: number;
  /** `CopierWords`. */
  readonly words: SharedArrayBuffer;
  /** This connection's share of the bandwidth, if it is capped. */
  readonly bytesPerSecond: number | undefined;
  readonly pageChecks: boolean;
}

export type CopierRequest =
  /** Listens there, or dials that. */
  | { readonly kind: 'open'; readonly at: Address }
  /** Gives up what is up or being dialled, and dials. */
  | { readonly kind: 'renew' }
  | { readonly kind: 'copy-round'; readonly round: number; readonly of: RoundKind }
  | { readonly kind: 'exit' };

export type CopierMessage =
  /** It listens there, or dials that. */
  | { readonly kind: 'open'; readonly port: number }
  | { readonly kind: 'connected' }
  | { readonly kind: 'round-placed'; readonly share: RoundShare; readonly bytes: ConnectionBytes }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

/** How often it is looked how much the kernel took. */
const LOOK_MS = 500;

const port = parentPort;
assert(port !== null, 'copier-worker.ts runs as a worker');
giveWay();
const own = workerData as CopierWorkerData;
const views = viewMemory(own.memory);
const progress = new CopierWords(own.words);

const tell = (message: CopierMessage): void => {
  port.postMessage(message);
};
const tellLost = (error: MicrostunError): void => {
  tell({ kind: 'lost', code: error.code, reason: error.message });
};

const isEncrypted = own.pass.security.kind !== 'none';
const copier = new Copier(views, { first: own.index, stride: own.copiers }, { ...own, isEncrypted });
setInterval(() => {
  progress.movedBytes = copier.movedBytes;
}, LOOK_MS).unref();

const end = connectionEnd(own.end, {
  names: { own: 'a page connection', peer: 'the destination' },
  role: 'pages',
  pass: own.pass,
  index: own.index,
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

port.on('message', (request: CopierRequest) => {
  switch (request.kind) {
    case 'open':
      // What it throws ends this worker: it has nowhere to listen.
      void end.open(request.at).then((at) => {
        tell({ kind: 'open', port: at.port });
      });
      return;
    case 'renew':
      copier.lose(new MicrostunError('CONNECTION_LOST', 'it is dialled anew'));
      end.renew();
      return;
    case 'copy-round':
      copyRound(request.round, request.of);
      return;
    case 'exit':
      copier.end();
      end.leave();
      port.close();
  }
});

function copyRound(round: number, of: RoundKind): void {
  copier.copyRound(round, of, progress).then(
    (share) => {
      tell({ kind: 'round-placed', share, bytes: copier.bytes });
    },
    (error: unknown) => {
      tellLost(asMicrostunError(error, 'PROTOCOL'));
    },
  );
}
