// Entry of the dedicated tracer's worker: does one request at a time and answers each.
// Nobody imports this file; migration-workers.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, unreachable } from '../shared/errors.js';
import type { SharedMachine } from '../shared/guest/shared-machine.js';
import type { BitmapFormat } from '../shared/memory/compacted-bitmap.js';
import { SafepointControl } from '../shared/memory/safepoints.js';
import { Tracer, TracerRehearsal, type Harvest, type LastHarvest, type TraceMode } from './tracer.js';

export interface TracerWorkerData {
  readonly machine: SharedMachine;
  readonly mode: TraceMode;
}

export type TracerRequest =
  | { readonly kind: 'install' }
  | { readonly kind: 'harvest' }
  | { readonly kind: 'take-last'; readonly format: BitmapFormat; readonly everything: boolean }
  | { readonly kind: 'remove' }
  | { readonly kind: 'exit' };

export type TracerMessage =
  | { readonly kind: 'installed'; readonly installMs: number }
  | { readonly kind: 'harvested'; readonly harvest: Harvest }
  | { readonly kind: 'taken'; readonly last: LastHarvest }
  | { readonly kind: 'removed' };

const port = parentPort;
assert(port !== null, 'tracer-worker.ts runs as a worker');
const { machine, mode } = workerData as TracerWorkerData;
const rehearsal = new TracerRehearsal();
rehearsal.rehearse();
const tracer = new Tracer(machine.memory, new SafepointControl(machine.safepointWords), mode);

port.on('message', (request: TracerRequest) => {
  if (request.kind === 'exit') port.close();
  else port.postMessage(answer(request));
});

function answer(request: Exclude<TracerRequest, { kind: 'exit' }>): TracerMessage {
  switch (request.kind) {
    case 'install':
      return { kind: 'installed', installMs: tracer.installTraces() };
    case 'harvest':
      // The last one may come next, and its code should not be cold by then.
      rehearsal.refresh();
      return { kind: 'harvested', harvest: tracer.harvest() };
    case 'take-last':
      return { kind: 'taken', last: tracer.takeLast(request.format, request.everything) };
    case 'remove':
      tracer.removeTraces();
      return { kind: 'removed' };
    default:
      return unreachable(request);
  }
}
