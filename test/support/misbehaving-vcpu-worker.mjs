// A vCPU whose guest misbehaves in its slices once it is told to: throws, loops for ever, or ends its worker.
// Imports what was built; its gate's words are named in the test.
import { workerData } from 'node:worker_threads';
import { runVcpu } from '../../dist/shared/guest/vcpu.js';

const { machine, vcpu, how, gate } = workerData;

const ways = {
  throws() {
    throw new Error('the guest threw');
  },
  'loops for ever'() {
    for (;;);
  },
};

runVcpu(
  machine,
  vcpu,
  {
    runSlice() {
      Atomics.add(gate, 0, 1);
      if (Atomics.load(gate, 1) === 1) {
        Atomics.store(gate, 2, 1);
        ways[how]?.();
      }
    },
  },
  { made: () => undefined, pageFault: () => undefined, shortOfMemory: () => undefined },
);
