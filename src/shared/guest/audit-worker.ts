// Entry of the audit's worker: checks the whole parked guest and answers once.
// Nobody imports this file; machine.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../errors.js';
import { createGuestMemory } from '../memory/guest-memory.js';
import { viewMemory } from '../memory/layout.js';
import type { AuditResult } from './guest-program.js';
import { programOf } from './machine-program.js';
import { registersOf, type SharedMachine } from './shared-machine.js';

assert(parentPort !== null, 'audit-worker.ts runs as a worker');
const machine = workerData as SharedMachine;
const memory = createGuestMemory(viewMemory(machine.memory), {
  pageFires: 0,
  waitForPage: (page) => {
    throw new Error(`page ${page} is not here: a guest is audited only when all of its pages have arrived`);
  },
});
const registers = Array.from({ length: machine.spec.vcpus }, (_, id) => registersOf(machine, id));
const program = await programOf(machine);
const result: AuditResult = program.audit?.({ memory, registers }) ?? {
  passed: true,
  checked: 0,
  failed: 0,
  findings: ['this guest has no audit'],
};
parentPort.postMessage(result);
