// One thread of the safepoint hammers: each does its rounds as fast as it can and counts what must never be.
// Imports what was built; its gate's words are named in safepoint-gate.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Command } from '../../dist/shared/memory/safepoint-words.js';
import { SafepointControl } from '../../dist/shared/memory/safepoint-control.js';
import { VcpuSafepoint } from '../../dist/shared/memory/vcpu-safepoint.js';

const { role, safepointWords, vcpu, gate, words, permission, rounds } = workerData;

/** Some turns of nothing, another number each round, so that rounds do not fall into step. */
function dawdle(round, turnsMax = 200) {
  for (let turn = (round * 7919) % turnsMax; turn > 0; turn--) Atomics.load(gate, words.SLICES);
}

/** About as long as a parked thread takes to wake: what a RUN taken back must last to meet it awake. */
const WAKE_TURNS = 4001;

const roles = {
  // A slice checks a plain permission and, some time later, relies on it, as a store does on its page's byte.
  vcpu() {
    const safepoint = new VcpuSafepoint(safepointWords, vcpu);
    let command = safepoint.park();
    for (let slice = 0; command !== Command.EXIT; slice++) {
      if (command === Command.PARK) {
        command = safepoint.park();
        continue;
      }
      if (Atomics.load(gate, words.IS_RELIED) === 1) Atomics.add(gate, words.SLIPPED_PARK, 1);
      const isAllowed = permission[0] === 1;
      dawdle(slice);
      if (isAllowed && Atomics.load(gate, words.IS_SEALED) === 1) Atomics.add(gate, words.SLIPPED_GRACE, 1);
      if (Atomics.load(gate, words.IS_RELIED) === 1) Atomics.add(gate, words.SLIPPED_PARK, 1);
      Atomics.add(gate, words.SLICES, 1);
      Atomics.notify(gate, words.SLICES);
      // Sleeps until the next command, now and then: a wake-up lost is a test that never ends.
      command = slice % 8 === 7 ? safepoint.halt(Infinity) : safepoint.pass();
    }
    safepoint.exit();
  },
  // One grace period after the other, for as long as the machine parks and resumes.
  tracer() {
    const control = new SafepointControl(safepointWords);
    for (let round = 0; Atomics.load(gate, words.IS_OVER) === 0; round++) {
      permission[0] = 0;
      control.waitForGracePeriod();
      Atomics.store(gate, words.IS_SEALED, 1);
      dawdle(round);
      Atomics.store(gate, words.IS_SEALED, 0);
      permission[0] = 1;
      dawdle(round + 1);
      Atomics.add(gate, words.GRACE_PERIODS, 1);
    }
  },
  // Every other RUN lasts for at least a slice; the others are taken back while the vCPUs leave their parks.
  machine() {
    const control = new SafepointControl(safepointWords);
    for (let round = 0; round < rounds; round++) {
      const slices = Atomics.load(gate, words.SLICES);
      control.command(Command.RUN);
      if (round % 2 === 0) Atomics.wait(gate, words.SLICES, slices);
      else dawdle(round, WAKE_TURNS);
      control.command(Command.PARK);
      control.waitUntilParked();
      Atomics.store(gate, words.IS_RELIED, 1);
      dawdle(round + 1, 400);
      Atomics.store(gate, words.IS_RELIED, 0);
    }
    Atomics.store(gate, words.IS_OVER, 1);
  },
  // Wants a page a round: the number of the round that arrived last is the page's state.
  'faulting vcpu'() {
    const safepoint = new VcpuSafepoint(safepointWords, vcpu);
    safepoint.park();
    for (let round = 1; round <= rounds; round++) {
      const isHere = () => Atomics.load(gate, words.ARRIVED) >= round;
      Atomics.store(gate, words.WANTED, round);
      dawdle(round);
      while (!isHere()) {
        safepoint.waitForPage(0, isHere, () => {
          Atomics.add(gate, words.ASKED, 1);
          dawdle(round + 1);
        });
      }
    }
    safepoint.exit();
  },
  receiver() {
    const control = new SafepointControl(safepointWords);
    for (let round = 1; round <= rounds; round++) {
      while (Atomics.load(gate, words.WANTED) < round);
      dawdle(round * 3);
      Atomics.store(gate, words.ARRIVED, round);
      control.wakeFaulting(() => true);
    }
  },
};

roles[role]();
parentPort.postMessage('done');
