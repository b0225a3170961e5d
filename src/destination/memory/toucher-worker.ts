// Entry of a toucher's worker: touches all of a guest's memory, and ends.
// Nobody imports this file; toucher.ts starts it.
import { workerData } from 'node:worker_threads';
import { viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { giveWay } from '../../shared/thread-priority.js';
import { touchPages } from './touch.js';

giveWay();
touchPages(viewMemory(workerData as MemoryHandle).bytes);
