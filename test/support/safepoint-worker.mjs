// One thread of the safepoint tests: a vCPU behind a barrier, a vCPU at rest, or whoever waits for a grace period.
// Imports what was built; its gate's words are named in safepoint-gate.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Command } from '../../dist/shared/memory/safepoint-words.js';
import { SafepointControl } from '../../dist/shared/memory/safepoint-control.js';
import { VcpuSafepoint } from '../../dist/shared/memory/vcpu-safepoint.js';

const { role, safepointWords, vcpu, gate, words } = workerData;

const roles = {
  // Stays inside of each slice until its barrier opens, and says so before its safepoint.
  'vcpu at a barrier'() {
    const safepoint = new VcpuSafepoint(safepointWords, vcpu);
    let command = safepoint.park();
    while (command !== Command.EXIT) {
      Atomics.add(gate, words.ENTERED, 1);
      Atomics.wait(gate, words.OPEN_FROM + vcpu, 0);
      Atomics.store(gate, words.PASSED_FROM + vcpu, 1);
      command = safepoint.pass();
    }
    safepoint.exit();
  },
  'parked vcpu'() {
    new VcpuSafepoint(safepointWords, vcpu).park();
  },
  'halted vcpu'() {
    const safepoint = new VcpuSafepoint(safepointWords, vcpu);
    safepoint.park();
    safepoint.halt(Infinity);
  },
  'faulting vcpu'() {
    const safepoint = new VcpuSafepoint(safepointWords, vcpu);
    safepoint.park();
    safepoint.waitForPage(
      7,
      () => false,
      () => undefined,
    );
  },
  'exited vcpu'() {
    const safepoint = new VcpuSafepoint(safepointWords, vcpu);
    safepoint.park();
    safepoint.exit();
  },
  // Answers what the gate held the moment that the grace period ended.
  'grace period'() {
    new SafepointControl(safepointWords).waitForGracePeriod();
    parentPort.postMessage(Array.from(gate));
  },
};

roles[role]();
