// Entry of the reserve's worker: touches its memory once, and clears what each guest had of it.
// Nobody imports this file; reserve.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../shared/errors.js';
import { occupiedBytes } from '../../shared/memory/layout.js';
import { giveWay } from '../../shared/thread-priority.js';
import { clearMemory, touchPages } from './touch.js';

export interface ReserveWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly bytes: number;
  /** One double: how far the touching is. */
  readonly touchedBytes: Float64Array;
}

/** The end of a guest that had so many bytes. */
export interface ReserveRequest {
  readonly kind: 'clear';
  readonly memoryBytes: number;
}

export interface ReserveMessage {
  readonly kind: 'touched' | 'cleared';
}

const port = parentPort;
assert(port !== null, 'reserve-worker.ts runs as a worker');
const { memory, bytes, touchedBytes } = workerData as ReserveWorkerData;
const tell = (message: ReserveMessage): void => {
  port.postMessage(message);
};

giveWay();
touchPages(occupiedBytes({ memory, memoryBytes: bytes }), (touched) => {
  touchedBytes[0] = Math.min(bytes, touched);
});
tell({ kind: 'touched' });

port.on('message', ({ memoryBytes }: ReserveRequest) => {
  clearMemory({ memory, memoryBytes });
  tell({ kind: 'cleared' });
});
