// Entry of the sampler's worker: reads the vCPUs' counters at a steady pace, from outside, and answers with the samples.
// Nobody imports this file; sampler.ts starts it. It never disturbs a vCPU: it reads words that they write anyway.
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../clock.js';
import { assert } from '../errors.js';
import { sampleStride } from './samples.js';
import { Counter, countersOf, MachineSettings, type SharedMachine } from './shared-machine.js';

export interface SamplerWorkerData {
  readonly machine: SharedMachine;
  readonly intervalMs: number;
  readonly doublesMax: number;
  /** One word: not 0 when the sampler is to answer and end. */
  readonly stop: SharedArrayBuffer;
}

/** Rows as samples.ts says. */
export type SamplerMessage = Float64Array<ArrayBuffer>;

assert(parentPort !== null, 'sampler-worker.ts runs as a worker');
const { machine, intervalMs, doublesMax, stop } = workerData as SamplerWorkerData;
const stopWord = new Int32Array(stop);
const { vcpus } = machine.spec;
const counters = Array.from({ length: vcpus }, (_, vcpu) => countersOf(machine, vcpu));
const settings = new MachineSettings(machine);
const stride = sampleStride(vcpus);
const rowsMax = Math.floor(doublesMax / stride / 2) * 2;
const samples = new Float64Array(rowsMax * stride);
let rows = 0;
let interval = intervalMs;
while (Atomics.load(stopWord, 0) === 0) {
  if (rows === rowsMax) {
    thin();
    interval *= 2;
  }
  takeRow(samples.subarray(rows * stride, (rows + 1) * stride));
  rows++;
  Atomics.wait(stopWord, 0, 0, interval);
}
parentPort.postMessage(samples.slice(0, rows * stride) satisfies SamplerMessage);

function takeRow(row: Float64Array): void {
  const sample = settings.sampleNumber;
  // From here on the vCPUs fill the other slot. One that was just filling this one may still add to it: lost to the
  // timeline, not to the histogram.
  settings.sampleNumber = sample + 1;
  const slot = Counter.STALL_SLOTS_FROM + 2 * (sample & 1);
  row[0] = monotonicUs();
  for (const [vcpu, counts] of counters.entries()) {
    row[1 + 2 * vcpu] = counts[Counter.WORK]!;
    row[2 + 2 * vcpu] = counts[slot] === sample ? counts[slot + 1]! : 0;
  }
}

// Full: keeps every other row, with the longer stall of the two, so that any length fits.
function thin(): void {
  for (let row = 0; row < rowsMax / 2; row++) {
    const kept = (2 * row + 1) * stride;
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      const stall = kept + 2 + 2 * vcpu;
      samples[stall] = Math.max(samples[stall]!, samples[stall - stride]!);
    }
    samples.copyWithin(row * stride, kept, kept + stride);
  }
  rows = rowsMax / 2;
}
