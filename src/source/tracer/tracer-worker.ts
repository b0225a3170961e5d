// Entry of the dedicated tracer's worker: does one request at a time and answers each.
// Nobody imports this file; tracer-thread.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, MicrostunError, unreachable, type ErrorCode } from '../../shared/errors.js';
import { guestErrorOf } from '../../shared/guest/safepoint-trouble.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import type { BitmapFormat } from '../../shared/memory/compacted-bitmap.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { Tracer, TracerRehearsal, type Harvest, type LastHarvest, type TraceMode } from './tracer.js';

export interface TracerWorkerData {
  readonly machine: SharedMachine;
  readonly mode: TraceMode;
  /** One word; once it is not 0, nobody needs an answer that must wait for the vCPUs. */
  readonly giveUp: SharedArrayBuffer;
}

export type TracerRequest =
  | { readonly kind: 'install' }
  | { readonly kind: 'harvest'; readonly keepsRest: boolean }
  | { readonly kind: 'take-last'; readonly format: BitmapFormat; readonly everything: boolean }
  | { readonly kind: 'remove' }
  | { readonly kind: 'exit' };

export type TracerMessage =
  | { readonly kind: 'installed'; readonly installMs: number }
  | { readonly kind: 'harvested'; readonly harvest: Harvest }
  | { readonly kind: 'taken'; readonly last: LastHarvest }
  | { readonly kind: 'removed' }
  /** What was asked could not be done: a vCPU has ended or hangs, or the wait for it was given up. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly reason: string };

const port = parentPort;
assert(port !== null, 'tracer-worker.ts runs as a worker');
const { machine, mode, giveUp } = workerData as TracerWorkerData;
const rehearsal = new TracerRehearsal();
rehearsal.rehearse();
const safepoints = new SafepointControl(machine.safepointWords, { giveUp: new Int32Array(giveUp) });
const tracer = new Tracer(machine.memory, safepoints, mode);

port.on('message', (request: TracerRequest) => {
  if (request.kind === 'exit') port.close();
  else port.postMessage(answerOrFailure(request));
});

function answerOrFailure(request: Exclude<TracerRequest, { kind: 'exit' }>): TracerMessage {
  try {
    return answer(request);
  } catch (thrown) {
    const error = guestErrorOf(thrown);
    if (!(error instanceof MicrostunError)) throw error;
    return { kind: 'failed', code: error.code, reason: error.message };
  }
}

function answer(request: Exclude<TracerRequest, { kind: 'exit' }>): TracerMessage {
  switch (request.kind) {
    case 'install':
      return { kind: 'installed', installMs: tracer.installTraces() };
    case 'harvest':
      // The last one may come next, and its code should not be cold by then.
      rehearsal.refresh();
      return { kind: 'harvested', harvest: tracer.harvest(request.keepsRest) };
    case 'take-last':
      return { kind: 'taken', last: tracer.takeLast(request.format, request.everything) };
    case 'remove':
      tracer.removeTraces();
      return { kind: 'removed' };
    default:
      return unreachable(request);
  }
}
