// Entry of the fetcher's worker: asks the source for the pages that vCPUs wait for, and places them.
// Nobody imports this file; fetcher.ts starts it. The vCPUs' requests come straight to it, not through the main thread.
import type { Socket } from 'node:net';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { assert, ProtocolError, type MicrostunError } from '../../shared/errors.js';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { PageState } from '../../shared/memory/pages.js';
import { placeAbsentPage, settleArrived } from '../../shared/memory/placement.js';
import { SafepointError } from '../../shared/memory/safepoint-error.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { FrameReader, PROTOCOL_VERSION, type Frame } from '../../shared/wire/frames.js';
import { after } from '../../shared/timers.js';
import { decodeMessage, encodeMessage } from '../../shared/wire/messages.js';
import { decodePageSent, encodeMark } from '../../shared/wire/page-frames.js';
import { refusalError } from '../../shared/wire/refusal.js';
import { dial, type Address } from '../../shared/wire/sockets.js';
import { Dialler } from '../dialler.js';
import { WantedPages } from './wanted-pages.js';

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

/** As a receiver's. */
const DIAL_MS = 2500;

/** A source that takes the connection and does not welcome us for this long is dialled again. */
const GREETING_MS = 5000;

const port = parentPort;
assert(port !== null, 'fetcher-worker.ts runs as a worker');
const own = workerData as FetcherWorkerData;
const views = viewMemory(own.memory);
const safepoints = new SafepointControl(own.safepointWords);
const wanted = new WantedPages(isAbsent, (page) => {
  dialler.socket?.write(encodeMark('PAGE_WANTED', page, 0));
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

const dialler = new Dialler<Socket>({
  name: 'the fault connection',
  greetingMs: GREETING_MS,
  dial: () => dial(own.source, DIAL_MS),
  after,
  up: (socket, attempt) => {
    const reader = new FrameReader(['WELCOME', 'REFUSAL', 'PAGE_SENT']);
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of attempt.isUp ? reader.consume(chunk) : []) onFrame(frame);
      } catch (error) {
        dialler.lose(attempt, error);
      }
    });
    const hello = encodeMessage({
      name: 'HELLO',
      version: PROTOCOL_VERSION,
      role: 'faults',
      migrationId: own.migrationId,
      welcomedBy: '',
      index: 0,
      round: 0,
      windows: 0,
    });
    socket.write(Buffer.concat(hello));
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

function onFrame(frame: Frame): void {
  if (frame.header.name === 'PAGE_SENT') {
    const { page, bytes } = decodePageSent(frame.body, views.pageCount);
    wanted.noteSent(page);
    place(page, bytes);
    return;
  }
  const message = decodeMessage(frame);
  if (message.name === 'REFUSAL') throw refusalError(message);
  if (message.name !== 'WELCOME')
    throw new ProtocolError(`the source sent ${message.name} on the fault connection`);
  dialler.noteWelcome();
  wanted.open();
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
