// Entry of the sampler's worker: reads the vCPUs' counters at a steady pace, from outside, and answers with the samples.
// Nobody imports this file; sampler.ts starts it. It never disturbs a vCPU: it only reads words that they write anyway.
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../clock.js';
import { assert } from '../errors.js';
import { Counter, countersOf, type SharedMachine } from './shared-machine.js';

export interface SamplerWorkerData {
  readonly machine: SharedMachine;
  readonly intervalMs: number;
  readonly samplesMax: number;
  /** One word: not 0 when the sampler is to answer and end. */
  readonly stop: SharedArrayBuffer;
}

/** Instants (`monotonicUs`) and the pages that all vCPUs had written by then, in turn. */
export type SamplerMessage = Float64Array<ArrayBuffer>;

assert(parentPort !== null, 'sampler-worker.ts runs as a worker');
const { machine, intervalMs, samplesMax, stop } = workerData as SamplerWorkerData;
const stopWord = new Int32Array(stop);
const counters = Array.from({ length: machine.spec.vcpus }, (_, vcpu) => countersOf(machine, vcpu));
const samples = new Float64Array(2 * samplesMax);
let count = 0;
let interval = intervalMs;
while (Atomics.load(stopWord, 0) === 0) {
  if (count === samplesMax) {
    // Full: keep every other sample and sample half as often from now on, so that any length fits.
    for (let index = 0; index < samplesMax / 2; index++)
      samples.copyWithin(2 * index, 4 * index, 4 * index + 2);
    count = samplesMax / 2;
    interval *= 2;
  }
  samples[2 * count] = monotonicUs();
  samples[2 * count + 1] = counters.reduce((total, one) => total + one[Counter.WORK]!, 0);
  count++;
  Atomics.wait(stopWord, 0, 0, interval);
}
parentPort.postMessage(samples.slice(0, 2 * count) satisfies SamplerMessage);
