// Entry of a receiver's worker: has its page connection made and places what comes.
// Nobody imports this file; receivers.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../../shared/clock.js';
import { assert, MicrostunError, ProtocolError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { PageState } from '../../shared/memory/pages.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { SafepointError } from '../../shared/memory/safepoint-error.js';
import { answerOn, connectionEnd, type EndKind } from '../../shared/wire/connection-end.js';
import { refuseFlags, type Frame } from '../../shared/wire/frames.js';
import { decodeMark, encodeMark } from '../../shared/wire/page-frames.js';
import type { PlacedReads } from '../../shared/wire/intake.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { Address } from '../../shared/wire/sockets.js';
import { giveWay } from '../../shared/thread-priority.js';
import { NewestPages } from './newest-pages.js';
import { HashComparison, type Compared } from './hash-comparison.js';
import { IncomingRound } from './incoming-round.js';
import { PageReceiver } from './page-receiver.js';
import { PlacedHashes } from './placed-hashes.js';
import { PlacementGate } from './placement-gate.js';
import { StallWatch } from './stall-watch.js';
import { STALL_MS_MAX } from '../../shared/limits.js';

export interface ReceiverWorkerData {
  readonly memory: MemoryHandle;
  readonly safepointWords: SharedArrayBuffer;
  readonly placementGate: SharedArrayBuffer;
  /** A double for each receiver: the bytes that came on its connections. */
  readonly receivedBytes: SharedArrayBuffer;
  /** Whether its connection is awaited there, or dialled. */
  readonly end: EndKind;
  readonly at: Address;
  readonly pass: Pass;
  /** This receiver's number and how many there are. */
  readonly index: number;
  readonly receivers: number;
  /** Whether all pages carry a check. */
  readonly pageChecks: boolean;
  /** `PlacedHashes`, where the guest is to be compared with its source. */
  readonly placedHashes: SharedArrayBuffer | undefined;
}

export type ReceiverRequest =
  /** Gives up what is up or being dialled, and dials, or leaves that to the source. */
  { readonly kind: 'renew' } | { readonly kind: 'exit' };

export type ReceiverMessage =
  /** It listens on that port. */
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'connected' }
  | {
      readonly kind: 'round-placed';
      readonly round: number;
      readonly pages: number;
      /** What was compared in it. */
      readonly compared: Compared | undefined;
    }
  /** Pages have come since this was told, a second ago or so. */
  | { readonly kind: 'moved' }
  /** The last page that the running guest lacked is placed. */
  | { readonly kind: 'all-arrived' }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

/** How often it is told that pages come in. */
const LIFE_MS = 1000;
/**
 * And that so much has come since: whoever sends a page now and then does not keep its place by that. A link of
 * 100 kbit/s that all connections share brings it within their limit (states/limits.ts) on each of them.
 */
const PROGRESS_BYTES_MIN = 64 << 10;

const port = parentPort;
assert(port !== null, 'receiver-worker.ts runs as a worker');
giveWay();
const own = workerData as ReceiverWorkerData;
const views = viewMemory(own.memory);
const safepoints = new SafepointControl(own.safepointWords);
/** Bytes that came, of each receiver; this one writes its own. */
const receivedBytes = new Float64Array(own.receivedBytes);
const stall = new StallWatch();
const round = new IncomingRound(own);
const gate = new PlacementGate(own.placementGate, views.pageCount, own.receivers);
const newestPages = new NewestPages(gate.newestPages, own);

const tell = (message: ReceiverMessage): void => {
  port.postMessage(message);
};

const receiver = new PageReceiver(views, round, gate, newestPages, {
  frame: onFrame,
  arrived: (pages) => {
    safepoints.wakeFaulting((page) => Atomics.load(views.pageTable, page) < PageState.ABSENT);
    if (pages > 0 && safepoints.notePlaced(pages) === 0) tell({ kind: 'all-arrived' });
  },
});
receiver.pageChecks = own.pageChecks;
const placed = own.placedHashes && new PlacedHashes(own.placedHashes, views);
receiver.placed = placed;
const comparison = placed && new HashComparison(views, placed, isGracePeriodOver);

const end = connectionEnd(own.end, {
  names: { own: 'a page connection', peer: 'the source' },
  role: 'pages',
  pass: own.pass,
  index: own.index,
  isReadInPlace: true,
  listenFlag: '--page-listen',
  arrived: () => {
    // Not before: until now the connection before this one may have been read.
    receiver.reset();
    return { round: round.round, regions: round.regions };
  },
  up: () => {
    tell({ kind: 'connected' });
    return reads;
  },
  lost: ({ code, message }) => {
    // Nothing is read from it any more.
    receiver.reset();
    tell({ kind: 'lost', code, reason: message });
  },
});

/** Asked before each read: the kernel writes straight into guest memory, or wherever the receiver says. */
const reads: PlacedReads = {
  get target() {
    return receiver.target;
  },
  advance: (byteCount) => {
    receivedBytes[own.index]! += byteCount;
    // Nobody overwrites a running guest, whatever the peer says.
    receiver.isGuestRunning = safepoints.isHandedOver;
    receiver.advance(byteCount);
  },
};

port.on('message', (request: ReceiverRequest) => {
  if (request.kind === 'renew') {
    end.renew();
    return;
  }
  clearInterval(stallWatch);
  clearInterval(lifeWatch);
  end.close();
  port.close();
});

// In the middle of a round something has to come; after the hand-over the main thread watches what is lacking. While
// bytes come on any connection, this one waits for its turn.
const stallWatch = setInterval(() => {
  // Before the hand-over the source always copies something: when all connections are silent, what was last said on one
  // of them may be lost, the end of a round or its acknowledgement: a new one says it again. An idle one costs little.
  const isExpecting = end.connection !== undefined && !safepoints.isHandedOver;
  const progress = receivedBytes.reduce((total, bytes) => total + bytes, 0);
  if (stall.isStalled(monotonicUs() / 1000, progress, isExpecting))
    end.giveUp(
      new MicrostunError('CONNECTION_LOST', `nothing came on the page connections for ${STALL_MS_MAX} ms`),
    );
}, STALL_MS_MAX / 8);

// The main thread waits for a source as long as it sends pages; marks are none.
let toldBytes = 0;
const lifeWatch = setInterval(() => {
  if (receiver.receivedBytes - toldBytes < PROGRESS_BYTES_MIN) return;
  toldBytes = receiver.receivedBytes;
  tell({ kind: 'moved' });
}, LIFE_MS);

const { port: openPort } = await end.open(own.at);
if (own.end === 'awaited') tell({ kind: 'listening', port: openPort });

function isGracePeriodOver(): boolean {
  try {
    safepoints.waitForGracePeriod();
    return true;
  } catch (error) {
    // A vCPU hangs in its slice: who waits for it is the main thread's business.
    if (!(error instanceof SafepointError)) throw error;
    return false;
  }
}

function compare({ header, body }: Frame): void {
  refuseFlags(header);
  if (comparison === undefined || !safepoints.isHandedOver)
    throw new ProtocolError('HASHES came for a guest that is not to be compared now');
  const head = comparison.take(body, (one) => {
    round.check(one, false);
  });
  round.notePlaced(head);
}

function onFrame(frame: Frame): void {
  if (frame.header.name === 'HASHES') {
    compare(frame);
    return;
  }
  if (frame.header.name !== 'ROUND_END')
    throw new ProtocolError(`the source sent ${frame.header.name} on a page connection`);
  const [ended, pages] = decodeMark(frame.body);
  round.end(ended, pages);
  newestPages.begin(ended);
  gate.notePlaced(own.index, ended);
  // Told first: when the source goes on, or hands over, by the acknowledgement, this is on its way already.
  tell({ kind: 'round-placed', round: ended, pages, compared: comparison?.takeResult() });
  answerOn(end, encodeMark('ROUND_PLACED', ended, pages));
}
