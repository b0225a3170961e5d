// Entry of a receiver's worker: touches its share of guest memory, dials its page connection and places what comes.
// Nobody imports this file; receivers.ts starts it.
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../shared/clock.js';
import { asMicrostunError, assert, MicrostunError, messageOf, ProtocolError } from '../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../shared/memory/layout.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../shared/memory/pages.js';
import { SafepointControl } from '../shared/memory/safepoints.js';
import { PROTOCOL_VERSION, type Frame } from '../shared/wire/frames.js';
import { decodeMessage, encodeMessage } from '../shared/wire/messages.js';
import { decodeMark, encodeMark } from '../shared/wire/page-frames.js';
import { refusalError } from '../shared/wire/refusal.js';
import { dial, type Address } from '../shared/wire/sockets.js';
import { PageReceiver } from './page-receiver.js';

export interface ReceiverWorkerData {
  readonly memory: MemoryHandle;
  readonly safepointWords: SharedArrayBuffer;
  readonly source: Address;
  readonly migrationId: string;
  /** This receiver's number and how many there are. */
  readonly index: number;
  readonly receivers: number;
}

export type ReceiverRequest = { readonly kind: 'reconnect' } | { readonly kind: 'exit' };

export type ReceiverMessage =
  | { readonly kind: 'touched' }
  | { readonly kind: 'connected' }
  | {
      readonly kind: 'round-placed';
      readonly round: number;
      readonly pages: number;
      readonly spurned: number;
    }
  /** The last page that the running guest lacked is placed. */
  | { readonly kind: 'all-arrived' }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

const DIAL_MS = 5000;

/** A source that takes the connection and does not welcome us for this long is dialled again. */
const GREETING_MS = 5000;

/** Before the hand-over a connection on which nothing comes for this long is dialled again, even if it seems up. */
const STALL_MS_MAX = 8000;

const port = parentPort;
assert(port !== null, 'receiver-worker.ts runs as a worker');
const own = workerData as ReceiverWorkerData;
const views = viewMemory(own.memory);
const safepoints = new SafepointControl(own.safepointWords);
let socket: Socket | undefined;
let greeting: NodeJS.Timeout | undefined;
let lastByteAt = 0;
/** The first round that is not wholly placed. */
let nextRound = 0;

const tell = (message: ReceiverMessage): void => {
  port.postMessage(message);
};
const lose = (error: unknown): void => {
  clearTimeout(greeting);
  const { code, message } = asMicrostunError(error, 'CONNECTION_LOST');
  socket?.destroy();
  socket = undefined;
  tell({ kind: 'lost', code, reason: message });
};

const receiver = new PageReceiver(views, {
  frame: onFrame,
  arrived: (pages) => {
    safepoints.wakeFaulting((page) => Atomics.load(views.pageTable, page) < PageState.ABSENT);
    if (pages > 0 && safepoints.notePlaced(pages) === 0) tell({ kind: 'all-arrived' });
  },
});

port.on('message', (request: ReceiverRequest) => {
  if (request.kind === 'reconnect') {
    socket?.destroy();
    socket = undefined;
    connectToSource().catch(lose);
    return;
  }
  clearTimeout(greeting);
  clearInterval(stallWatch);
  socket?.destroy();
  port.close();
});

// After the hand-over nothing may be left to come; what then lacks, the main thread watches.
const stallWatch = setInterval(() => {
  if (socket === undefined || safepoints.isHandedOver) return;
  if (monotonicUs() - lastByteAt > STALL_MS_MAX * 1000)
    lose(new MicrostunError('CONNECTION_LOST', `nothing came on a page connection for ${STALL_MS_MAX} ms`));
}, STALL_MS_MAX / 8);

touchMemory();
tell({ kind: 'touched' });
connectToSource().catch(lose);

// The first touch of a page costs the kernel microseconds; here it delays nobody.
function touchMemory(): void {
  const { bytes, pageCount } = views;
  for (let window = own.index; window * REGION_PAGES < pageCount; window += own.receivers) {
    const end = Math.min(pageCount, (window + 1) * REGION_PAGES);
    for (let page = window * REGION_PAGES; page < end; page++) bytes[page * PAGE_BYTES] = 0;
  }
}

async function connectToSource(): Promise<void> {
  receiver.reset();
  const fresh: Socket = await dial(own.source, DIAL_MS, {
    // Answered before each read: the kernel writes straight into guest memory, or wherever the receiver says.
    buffer: () => receiver.target,
    callback: (byteCount) => {
      try {
        if (socket !== fresh) return false;
        lastByteAt = monotonicUs();
        // Nobody overwrites a running guest, whatever the peer says.
        receiver.isGuestRunning = safepoints.isHandedOver;
        receiver.advance(byteCount);
      } catch (error) {
        lose(error);
        return false;
      }
      return true;
    },
  });
  socket = fresh;
  lastByteAt = monotonicUs();
  fresh.on('error', (error) => {
    if (socket === fresh)
      lose(new MicrostunError('CONNECTION_LOST', `a page connection was lost: ${messageOf(error)}`));
  });
  fresh.on('close', () => {
    if (socket === fresh)
      lose(new MicrostunError('CONNECTION_LOST', 'a page connection was closed by the source'));
  });
  const hello = encodeMessage({
    name: 'HELLO',
    version: PROTOCOL_VERSION,
    role: 'pages',
    migrationId: own.migrationId,
    welcomedBy: '',
    index: own.index,
    round: receiver.placedWindows > 0 ? receiver.round : nextRound,
    windows: receiver.placedWindows,
  });
  fresh.write(Buffer.concat(hello));
  clearTimeout(greeting);
  greeting = setTimeout(() => {
    lose(
      new MicrostunError(
        'CONNECTION_LOST',
        `the source did not welcome a page connection within ${GREETING_MS} ms`,
      ),
    );
  }, GREETING_MS);
}

function onFrame(frame: Frame): void {
  if (frame.header.name === 'ROUND_END') {
    const [round, pages] = decodeMark(frame.body);
    if (pages !== receiver.placedPages) {
      throw new ProtocolError(`round ${round} ends after ${pages} pages, but ${receiver.placedPages} came`);
    }
    const spurned = receiver.spurnedPages;
    receiver.placedPages = 0;
    receiver.placedWindows = 0;
    receiver.spurnedPages = 0;
    nextRound = round + 1;
    socket?.write(encodeMark('ROUND_PLACED', round, pages));
    tell({ kind: 'round-placed', round, pages, spurned });
    return;
  }
  const message = decodeMessage(frame);
  if (message.name === 'WELCOME') {
    clearTimeout(greeting);
    tell({ kind: 'connected' });
  } else if (message.name === 'REFUSAL') throw refusalError(message);
  else throw new ProtocolError(`the source sent ${message.name} on a page connection`);
}
