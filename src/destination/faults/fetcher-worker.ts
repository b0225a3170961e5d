// Entry of the fetcher's worker: takes the guest over, then asks the source for the pages that vCPUs wait for, and places
// them. Nobody imports this file; fetcher.ts starts it. The vCPUs' requests come straight to it, not through the main thread.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { MicrostunError } from '../../shared/errors.js';
import { assert, asMicrostunError, ProtocolError } from '../../shared/errors.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import { HandOverGate } from '../../shared/memory/hand-over-gate.js';
import { rawBitmapBytes } from '../../shared/memory/compacted-bitmap.js';
import { viewMemory } from '../../shared/memory/layout.js';
import { PageState } from '../../shared/memory/pages.js';
import { placeAbsentPage, settleArrived } from '../../shared/memory/placement.js';
import { SafepointError } from '../../shared/memory/safepoint-error.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { CHUNK_BYTES, CLEAR_CHUNK } from '../../shared/memory/space-bitmap.js';
import { answerOn, connectionEnd, type EndKind } from '../../shared/wire/connection-end.js';
import { NOTHING_ARRIVED } from '../../shared/wire/greeting.js';
import { refuseFlags, type Frame } from '../../shared/wire/frames.js';
import { decodePageSent, encodeMark } from '../../shared/wire/page-frames.js';
import { PlacedFrameReader } from '../../shared/wire/placed-frames.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { Address } from '../../shared/wire/sockets.js';
import { HAND_OVER_BYTES_MAX } from '../../shared/wire/switch-over-frames.js';
import { PlacedHashes } from '../pages/placed-hashes.js';
import { PlacementGate } from '../pages/placement-gate.js';
import { TakeOverRehearsal } from '../rehearsal.js';
import { checkGrowth, type GuestSize } from '../room.js';
import { TakeOver, type TakenOver } from '../take-over.js';
import { WantedPages } from './wanted-pages.js';
import { HANDED_OVER_QUIET_MS, PAGES_AHEAD_MAX } from '../../shared/limits.js';
import { rehearse } from '../../shared/rehearse.js';
import { sleep } from '../../shared/timers.js';

export interface FetcherWorkerData {
  readonly machine: SharedMachine;
  /** The gate that stands before the take-over, and the receivers'. */
  readonly gate: SharedArrayBuffer;
  readonly placementGate: SharedArrayBuffer;
  /** `PlacedHashes`, where the guest is to be compared with its source. */
  readonly placedHashes: SharedArrayBuffer | undefined;
  readonly receivers: number;
  readonly size: GuestSize;
  /** Whether the connection is awaited there, or dialled. */
  readonly end: EndKind;
  readonly at: Address;
  readonly pass: Pass;
  /** One a vCPU: the numbers of pages that it waits for. */
  readonly faults: readonly MessagePort[];
}

export type FetcherRequest =
  /** The receivers have placed a round; and there is a moment to keep code warm. */
  | { readonly kind: 'round-placed' }
  /** Every page has arrived: give the fast path to them all. */
  | { readonly kind: 'settle' }
  /** Gives up what is up or being dialled, and dials, or leaves that to the source. */
  | { readonly kind: 'renew' }
  | { readonly kind: 'exit' };

export type FetcherMessage =
  /** It listens on that port. */
  | { readonly kind: 'listening'; readonly port: number }
  /** It can take a guest over from now on. */
  | { readonly kind: 'connected' }
  /** A hand-over came, and its last pages did not yet. */
  | { readonly kind: 'placing' }
  | { readonly kind: 'taken-over'; readonly facts: TakenOver }
  | { readonly kind: 'declined'; readonly code: MicrostunError['code']; readonly reason: string }
  | { readonly kind: 'all-arrived' }
  | { readonly kind: 'settled'; readonly fetchedPages: number }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

const port = parentPort;
assert(port !== null, 'fetcher-worker.ts runs as a worker');
const own = workerData as FetcherWorkerData;
const { machine } = own;
const views = viewMemory(machine.memory);
const safepoints = new SafepointControl(machine.safepointWords);
const wanted = new WantedPages(isAbsent, (page) => {
  end.connection?.write([encodeMark('PAGE_WANTED', page, 0)]);
});
const placed = own.placedHashes && new PlacedHashes(own.placedHashes, views);
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

const takeOver = new TakeOver({
  traces: placed !== undefined,
  machine,
  safepoints,
  placement: new PlacementGate(own.placementGate, views.pageCount, own.receivers),
  gate: new HandOverGate(own.gate),
  checkRoom: (bytes) => {
    checkGrowth(bytes, own.size, process.availableMemory());
  },
  answer: (frame) => {
    answerOn(end, frame);
  },
  placing: () => {
    tell({ kind: 'placing' });
  },
  takenOver: (facts) => {
    if (facts.pagesFollow) wanted.expectAhead(PAGES_AHEAD_MAX);
    const before = Array.from({ length: safepoints.vcpus }, () => 0);
    // The main thread has nothing to do before the vCPUs run: waking it now would take a core from one of them.
    void Promise.race([safepoints.resumed(before), sleep(HANDED_OVER_QUIET_MS)]).then(() => {
      tell({ kind: 'taken-over', facts });
    });
  },
  declined: (thrown) => {
    const { code, message } = asMicrostunError(thrown, 'PROTOCOL');
    tell({ kind: 'declined', code, reason: message });
  },
});

/** What may come: also the largest bitmap, and what stands before it in a hand-over. */
const FRAMES = ['PAGE_SENT', 'ANNOUNCEMENT', 'HAND_OVER', 'REGIONS', 'BITMAP_CHUNK'] as const;
const bodyBytesMax = Math.max(CHUNK_BYTES, rawBitmapBytes(views.pageCount) + HAND_OVER_BYTES_MAX);

const rehearsal = new TakeOverRehearsal(machine.spec);
let isComing = false;
void rehearse(
  () => {
    rehearsal.turn();
  },
  () => isComing,
);

const end = connectionEnd(own.end, {
  names: { own: 'the fault connection', peer: 'the source' },
  role: 'faults',
  pass: own.pass,
  index: 0,
  isReadInPlace: true,
  listenFlag: '--page-listen',
  arrived: () => NOTHING_ARRIVED,
  up: () => {
    takeOver.connected();
    wanted.open();
    tell({ kind: 'connected' });
    return new PlacedFrameReader({
      expected: FRAMES,
      bodyBytesMax,
      known: { name: 'BITMAP_CHUNK', body: CLEAR_CHUNK },
      take,
    });
  },
  lost: ({ code, message }) => {
    wanted.close();
    tell({ kind: 'lost', code, reason: message });
  },
});

port.on('message', (request: FetcherRequest) => {
  switch (request.kind) {
    case 'round-placed':
      takeOver.roundPlaced();
      // The hand-over may come next.
      if (!safepoints.isHandedOver) rehearsal.refresh();
      return;
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
    case 'renew':
      wanted.close();
      end.renew();
      return;
    case 'exit':
      end.close();
      for (const faults of own.faults) faults.close();
      port.close();
  }
});

const { port: openPort } = await end.open(own.at);
if (own.end === 'awaited') tell({ kind: 'listening', port: openPort });

function take({ header, body }: Frame): void {
  refuseFlags(header);
  isComing = true;
  switch (header.name) {
    case 'ANNOUNCEMENT':
      takeOver.announce(body);
      return;
    case 'HAND_OVER':
      takeOver.handOver(body);
      return;
    case 'REGIONS':
      takeOver.takeRegions(body);
      return;
    case 'BITMAP_CHUNK':
      takeOver.takeChunk(body);
      return;
    case 'PAGE_SENT': {
      const { page, bytes } = decodePageSent(body, views.pageCount);
      wanted.noteSent(page);
      place(page, bytes);
      return;
    }
    default:
      throw new ProtocolError(`the source sent ${header.name} on the fault connection`);
  }
}

function place(page: number, bytes: Uint8Array): void {
  const isPlaced = placeAbsentPage(views, page, bytes, (one) => {
    placed?.notePage(one);
  });
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
