// Entry of the fetcher's worker: asks the source for the pages that vCPUs wait for, and places them.
// Nobody imports this file; fetcher.ts starts it. The vCPUs' requests come straight to it, not through the main thread.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { assert, type MicrostunError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { PageState } from '../../shared/memory/pages.js';
import { placeAbsentPage, settleArrived } from '../../shared/memory/placement.js';
import { SafepointError } from '../../shared/memory/safepoint-error.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { Dialler } from '../../shared/wire/dialler.js';
import { FrameReader } from '../../shared/wire/frames.js';
import { decodePageSent, encodeMark } from '../../shared/wire/page-frames.js';
import type { Address } from '../../shared/wire/sockets.js';
import { WantedPages } from './wanted-pages.js';
import { PAGES_DIAL_MS_MAX, WELCOME_MS_MAX } from '../../shared/limits.js';

export interface FetcherWorkerData {
  readonly memory: MemoryHandle;
  readonly safepointWords: SharedArrayBuffer;
  readonly source: Address;
  readonly migrationId: string;
  /** One a vCPU: the numbers of pages that it waits for. */
  readonly faults: readonly MessagePort[];
}

export type FetcherRequest =
  /** Every page has arrived: give the fast path to them all. */
  | { readonly kind: 'settle' }
  /** Gives up what is up or being dialled, and dials. */
  | { readonly kind: 'dial' }
  | { readonly kind: 'exit' };

export type FetcherMessage =
  | { readonly kind: 'connected' }
  | { readonly kind: 'all-arrived' }
  | { readonly kind: 'settled'; readonly fetchedPages: number }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

const port = parentPort;
assert(port !== null, 'fetcher-worker.ts runs as a worker');
const own = workerData as FetcherWorkerData;
const views = viewMemory(own.memory);
const safepoints = new SafepointControl(own.safepointWords);
const wanted = new WantedPages(isAbsent, (page) => {
  dialler.connection?.write([encodeMark('PAGE_WANTED', page, 0)]);
});
let fetchedPages = 0;

const tell = (message: FetcherMessage): void => {
  port.postMessage(message);
};

for (const faults of own.faults) {
  faults.on('message', (page: number) => {
    // Being placed or here already: whoever placed it looked for waiters after, but this one may have come later.
    if (!wanted.want(page)) wakeArrived();
  });
}

const dialler = new Dialler({
  names: { own: 'the fault connection', peer: 'the source' },
  to: own.source,
  dialMs: PAGES_DIAL_MS_MAX,
  greetingMs: WELCOME_MS_MAX,
  isReadInPlace: false,
  introduction: () => ({ role: 'faults', migrationId: own.migrationId }),
  welcomed: () => {
    const reader = new FrameReader(['PAGE_SENT']);
    wanted.open();
    tell({ kind: 'connected' });
    return {
      take: (chunk) => {
        for (const { body } of reader.consume(chunk)) {
          const { page, bytes } = decodePageSent(body, views.pageCount);
          wanted.noteSent(page);
          place(page, bytes);
        }
      },
    };
  },
  lost: ({ code, message }) => {
    wanted.close();
    tell({ kind: 'lost', code, reason: message });
  },
});

port.on('message', (request: FetcherRequest) => {
  switch (request.kind) {
    case 'settle':
      try {
        settleArrived(views, () => {
          safepoints.waitForGracePeriod();
        });
      } catch (error) {
        // A vCPU hangs in its slice. Every page is here all the same; they stay on the slow path.
        if (!(error instanceof SafepointError)) throw error;
      }
      tell({ kind: 'settled', fetchedPages });
      return;
    case 'dial':
      wanted.close();
      dialler.dial();
      return;
    case 'exit':
      dialler.close();
      for (const faults of own.faults) faults.close();
      port.close();
  }
});

dialler.dial();

function place(page: number, bytes: Uint8Array): void {
  const isPlaced = placeAbsentPage(views, page, bytes);
  wakeArrived();
  if (!isPlaced) return;
  fetchedPages++;
  if (safepoints.notePlaced(1) === 0) tell({ kind: 'all-arrived' });
}

function isAbsent(page: number): boolean {
  return Atomics.load(views.pageTable, page) === PageState.ABSENT;
}

function wakeArrived(): void {
  safepoints.wakeFaulting((page) => Atomics.load(views.pageTable, page) < PageState.ABSENT);
}
