// Entry of a vCPU's worker: makes the guest program, boots it if asked, and runs its slices until told to exit.
// Nobody imports this file; machine.ts starts it and holds the other end of its messages.
import { availableParallelism } from 'node:os';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { assert } from '../errors.js';
import { giveWay } from '../thread-priority.js';
import type { CheckedAnswer } from './guest-say.js';
import { programOf } from './machine-program.js';
import { registersOf, type SharedMachine } from './shared-machine.js';
import { runVcpu } from './vcpu.js';

/** What machine.ts starts a vCPU's worker with. */
export interface VcpuWorkerData {
  readonly machine: SharedMachine;
  readonly vcpu: number;
  /** Whether this vCPU fills the fresh guest before it parks. */
  readonly boots: boolean;
  /** Where it asks for pages that are still on the source: page numbers. */
  readonly faults: MessagePort;
}

/** What a vCPU's worker tells machine.ts. */
export type VcpuMessage =
  | { readonly kind: 'loaded' | 'ready' | 'short-of-memory' }
  | { readonly kind: 'powered-off'; readonly reason: string }
  /** Of the question of that number. */
  | { readonly kind: 'answered'; readonly question: number; readonly answer: CheckedAnswer };

const port = parentPort;
assert(port !== null, 'vcpu-worker.ts runs as a worker');
const { machine, vcpu, boots, faults } = workerData as VcpuWorkerData;
const tell = (message: VcpuMessage): void => {
  port.postMessage(message);
};

// A guest with a service answers somebody, who waits: as many of its vCPUs as there are processors keep their priority.
const isServing = machine.spec.devices.some(({ kind }) => kind === 'service');
if (!isServing || vcpu >= availableParallelism()) giveWay();
const program = await programOf(machine);
tell({ kind: 'loaded' });
runVcpu(machine, vcpu, program, {
  made: (memory) => {
    const registers = Array.from({ length: machine.spec.vcpus }, (_, id) => registersOf(machine, id));
    if (boots) program.boot?.({ memory, registers });
    tell({ kind: 'ready' });
  },
  pageFault: (page) => {
    faults.postMessage(page);
  },
  shortOfMemory: () => {
    tell({ kind: 'short-of-memory' });
  },
  poweredOff: (reason) => {
    tell({ kind: 'powered-off', reason });
  },
  answered: (question, answer) => {
    tell({ kind: 'answered', question, answer });
  },
});
