// Entry of a toucher's worker: touches all of a guest's memory, and ends.
// Nobody imports this file; toucher.ts starts it.
import { workerData } from 'node:worker_threads';
import type { MemoryHandle } from '../../shared/memory/layout.js';
import { giveWay } from '../../shared/thread-priority.js';
import { touchedParts, touchPages } from './touch.js';

export interface ToucherWorkerData {
  readonly memory: MemoryHandle;
  readonly touchedBytes: number;
}

giveWay();
const { memory, touchedBytes } = workerData as ToucherWorkerData;
for (const part of touchedParts(memory, touchedBytes)) touchPages(part);
