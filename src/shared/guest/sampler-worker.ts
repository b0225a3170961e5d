// Entry of the sampler's worker: reads the vCPUs' counters at a steady pace, from outside, and answers with the samples.
// Nobody imports this file; sampler.ts starts it. It never disturbs a vCPU: it reads words that they write anyway.
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../clock.js';
import { assert } from '../errors.js';
import { RESUME_INTERVAL_MS, resumeRowsOf, SamplerCommand, sampleStride } from './samples.js';
import { SampleTeller } from './told-samples.js';
import { Counter, countersOf, MachineSettings, type SharedMachine } from './shared-machine.js';

export interface SamplerWorkerData {
  readonly machine: SharedMachine;
  readonly intervalMs: number;
  readonly doublesMax: number;
  /** The guest resumes here: its first samples are taken faster, and samples are told while they are taken (told-samples.ts). */
  readonly tells: boolean;
  /** One word: a SamplerCommand. */
  readonly command: SharedArrayBuffer;
}

/** Rows as samples.ts says: some while they are taken, all of them at the end. */
export type SamplerMessage =
  | { readonly kind: 'told'; readonly samples: Float64Array }
  | { readonly kind: 'all'; readonly samples: Float64Array };

assert(parentPort !== null, 'sampler-worker.ts runs as a worker');
const { machine, intervalMs, doublesMax, tells, command } = workerData as SamplerWorkerData;
const commandWord = new Int32Array(command);
const { vcpus } = machine.spec;
const counters = Array.from({ length: vcpus }, (_, vcpu) => countersOf(machine, vcpu));
const settings = new MachineSettings(machine);
const stride = sampleStride(vcpus);
const rowsMax = Math.floor(doublesMax / stride / 2) * 2;
const samples = new Float64Array(rowsMax * stride);
const resumeRows = tells ? resumeRowsOf(vcpus, doublesMax) : 0;
const teller = tells ? new SampleTeller(vcpus, resumeRows) : undefined;
let rows = 0;
let interval = intervalMs;
Atomics.wait(commandWord, 0, SamplerCommand.WAIT);
while (Atomics.load(commandWord, 0) === SamplerCommand.SAMPLE) {
  if (rows === rowsMax) {
    thin();
    interval *= 2;
  }
  const row = samples.subarray(rows * stride, (rows + 1) * stride);
  takeRow(row);
  rows++;
  const told = teller?.note(row);
  if (told !== undefined) parentPort.postMessage({ kind: 'told', samples: told } satisfies SamplerMessage);
  Atomics.wait(commandWord, 0, SamplerCommand.SAMPLE, rows < resumeRows ? RESUME_INTERVAL_MS : interval);
}
parentPort.postMessage({ kind: 'all', samples: samples.slice(0, rows * stride) } satisfies SamplerMessage);

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

// Full: keeps those just after the resume and every other of the rest, with the longer stall of the two, so that any
// length fits.
function thin(): void {
  let kept = resumeRows;
  for (let at = resumeRows + 1; at < rowsMax; at += 2) {
    const row = at * stride;
    for (let stall = row + 2; stall < row + stride; stall += 2)
      samples[stall] = Math.max(samples[stall]!, samples[stall - stride]!);
    samples.copyWithin(kept * stride, row, row + stride);
    kept++;
  }
  rows = kept;
}
