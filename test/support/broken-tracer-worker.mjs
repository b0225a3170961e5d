// The real Tracer over safepoints that a test may break: it skips grace periods, or loses a mark after a harvest.
// Answers as tracer-worker.ts does. Imports what was built; its gate's words are named in tracer-gate.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { SafepointControl } from '../../dist/shared/memory/safepoint-control.js';
import { Tracer } from '../../dist/source/tracer/tracer.js';

const { machine, gate, words, skips = [], losesMarkOf } = workerData;
const control = new SafepointControl(machine.safepointWords);

// While it harvests: which grace period of the harvest this is; 0 when it installs. Only the first harvest is staged.
let gracePeriod = 0;
let isStaged = gate !== undefined;
const tracer = new Tracer(machine.memory, {
  waitForGracePeriod() {
    if (gracePeriod === 0) {
      control.waitForGracePeriod();
      return;
    }
    const isSecond = gracePeriod === 2;
    gracePeriod++;
    if (isSecond && isStaged && !skips.includes('second')) letStoreGo();
    if (!skips.includes(isSecond ? 'second' : 'first')) control.waitForGracePeriod();
    if (!isSecond && isStaged) beginStore();
  },
  waitUntilParked() {
    control.waitUntilParked();
  },
});

// Between the first grace period and the take the vCPU checks a page, fires it, and stops before its store ...
function beginStore() {
  const fired = Atomics.load(gate, words.FIRED);
  Atomics.add(gate, words.ORDERED, 1);
  Atomics.wait(gate, words.FIRED, fired);
}

// ... and goes on only when the second grace period begins, which must wait for it.
function letStoreGo() {
  Atomics.add(gate, words.FIRES_LET_GO, 1);
  Atomics.notify(gate, words.FIRES_LET_GO);
}

parentPort.on('message', (request) => {
  switch (request.kind) {
    case 'install':
      gracePeriod = 0;
      parentPort.postMessage({ kind: 'installed', installMs: tracer.installTraces() });
      break;
    case 'harvest': {
      gracePeriod = 1;
      const harvest = tracer.harvest();
      isStaged = false;
      if (losesMarkOf !== undefined) tracer.dirty.words[losesMarkOf >>> 5] &= ~(1 << (losesMarkOf & 31));
      parentPort.postMessage({ kind: 'harvested', harvest });
      break;
    }
    case 'take-last':
      parentPort.postMessage({ kind: 'taken', last: tracer.takeLast('compacted', false) });
  }
});
