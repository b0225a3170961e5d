// A vCPU whose guest touches one region more in each slice, on a host that has as much memory to spare as a word says.
// Imports what was built; its gate's words are named in awaited-room.test.ts.
import { workerData } from 'node:worker_threads';
import { runVcpu } from '../../dist/shared/guest/vcpu.js';

const { machine, gate, boots } = workerData;

process.availableMemory = () => Atomics.load(gate, 0) * 2 ** 20;

let region = 0;
const touch = (memory) => {
  memory.store32(region++ * 2 ** 21, 1);
  Atomics.store(gate, 1, region);
};

runVcpu(
  machine,
  0,
  {
    runSlice({ memory }) {
      touch(memory);
    },
  },
  {
    made: (memory) => {
      while (boots && region < 20) touch(memory);
    },
    pageFault: () => undefined,
    shortOfMemory: () => undefined,
  },
);
