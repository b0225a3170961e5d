// Entry of the fetcher's worker: asks the source for the pages that vCPUs wait for, and places them.
// Nobody imports this file; fetcher.ts starts it. The vCPUs' requests come straight to it, not through the main thread.
import type { Socket } from 'node:net';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { asMicrostunError, assert, MicrostunError, messageOf, ProtocolError } from '../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../shared/memory/layout.js';
import { PageState } from '../shared/memory/pages.js';
import { placeAbsentPage, settleArrived } from '../shared/memory/placement.js';
import { SafepointError } from '../shared/memory/safepoint-error.js';
import { SafepointControl } from '../shared/memory/safepoints.js';
import { FrameReader, PROTOCOL_VERSION, type Frame } from '../shared/wire/frames.js';
import { decodeMessage, encodeMessage } from '../shared/wire/messages.js';
import { decodePageSent, encodeMark } from '../shared/wire/page-frames.js';
import { refusalError } from '../shared/wire/refusal.js';
import { dial, type Address } from '../shared/wire/sockets.js';

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
  { readonly kind: 'settle' } | { readonly kind: 'reconnect' } | { readonly kind: 'exit' };

export type FetcherMessage =
  | { readonly kind: 'connected' }
  | { readonly kind: 'all-arrived' }
  | { readonly kind: 'settled'; readonly fetchedPages: number }
  | { readonly kind: 'lost'; readonly code: MicrostunError['code']; readonly reason: string };

const DIAL_MS = 5000;

/** A source that takes the connection and does not welcome us for this long is dialled again. */
const GREETING_MS = 5000;

const port = parentPort;
assert(port !== null, 'fetcher-worker.ts runs as a worker');
const own = workerData as FetcherWorkerData;
const views = viewMemory(own.memory);
const safepoints = new SafepointControl(own.safepointWords);
/** Pages asked for and not here yet: two vCPUs on one page ask once, and a new connection asks again. */
const wanted = new Set<number>();
let socket: Socket | undefined;
let greeting: NodeJS.Timeout | undefined;
let isWelcome = false;
let fetchedPages = 0;

const tell = (message: FetcherMessage): void => {
  port.postMessage(message);
};
const lose = (error: unknown): void => {
  clearTimeout(greeting);
  const { code, message } = asMicrostunError(error, 'CONNECTION_LOST');
  socket?.destroy();
  socket = undefined;
  tell({ kind: 'lost', code, reason: message });
};

for (const faults of own.faults) {
  faults.on('message', (page: number) => {
    if (wanted.has(page) || !isAbsent(page)) {
      // Being placed or here already: whoever placed it looked for waiters after, but this one may have come later.
      wakeArrived();
      return;
    }
    wanted.add(page);
    // Before the welcome nothing may be said; it asks for all that is wanted then.
    if (isWelcome) socket?.write(encodeMark('PAGE_WANTED', page, 0));
  });
}

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
    case 'reconnect':
      socket?.destroy();
      socket = undefined;
      connectToSource().catch(lose);
      return;
    case 'exit':
      clearTimeout(greeting);
      socket?.destroy();
      for (const faults of own.faults) faults.close();
      port.close();
  }
});

connectToSource().catch(lose);

async function connectToSource(): Promise<void> {
  const reader = new FrameReader(['WELCOME', 'REFUSAL', 'PAGE_SENT']);
  const fresh = await dial(own.source, DIAL_MS);
  socket = fresh;
  isWelcome = false;
  fresh.on('data', (chunk: Buffer) => {
    try {
      if (socket === fresh) for (const frame of reader.consume(chunk)) onFrame(frame);
    } catch (error) {
      lose(error);
    }
  });
  fresh.on('error', (error) => {
    if (socket === fresh)
      lose(new MicrostunError('CONNECTION_LOST', `the fault connection was lost: ${messageOf(error)}`));
  });
  fresh.on('close', () => {
    if (socket === fresh)
      lose(new MicrostunError('CONNECTION_LOST', 'the fault connection was closed by the source'));
  });
  const { migrationId } = own;
  const hello = encodeMessage({
    name: 'HELLO',
    version: PROTOCOL_VERSION,
    role: 'faults',
    migrationId,
    welcomedBy: '',
    index: 0,
    round: 0,
    windows: 0,
  });
  fresh.write(Buffer.concat(hello));
  clearTimeout(greeting);
  greeting = setTimeout(() => {
    lose(
      new MicrostunError(
        'CONNECTION_LOST',
        `the source did not welcome a fault connection within ${GREETING_MS} ms`,
      ),
    );
  }, GREETING_MS);
}

function onFrame(frame: Frame): void {
  if (frame.header.name === 'PAGE_SENT') {
    const { page, bytes } = decodePageSent(frame.body, views.pageCount);
    if (!wanted.delete(page)) throw new ProtocolError(`page ${page} was sent and not asked for`);
    place(page, bytes);
    return;
  }
  const message = decodeMessage(frame);
  if (message.name === 'REFUSAL') throw refusalError(message);
  if (message.name !== 'WELCOME')
    throw new ProtocolError(`the source sent ${message.name} on the fault connection`);
  clearTimeout(greeting);
  isWelcome = true;
  for (const page of wanted) socket?.write(encodeMark('PAGE_WANTED', page, 0));
  tell({ kind: 'connected' });
}

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
