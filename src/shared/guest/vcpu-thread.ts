// A vCPU's worker as its machine holds it: started, ready to run, and how it ended.
// Knows one vCPU; what its end means to the machine is machine.ts's.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { MicrostunError, unreachable } from '../errors.js';
import { WorkerThread } from '../worker-thread.js';
import type { CheckedAnswer } from './guest-say.js';
import { watchLoading } from './loading.js';
import { poweredOffError } from './power-off.js';
import type { SharedMachine } from './shared-machine.js';
import type { VcpuMessage, VcpuWorkerData } from './vcpu-worker.js';

export interface VcpuThreadEvents {
  /** It has ended by itself, or powered the guest off. Called at most once. */
  ended(error: MicrostunError): void;
  shortOfMemory(): void;
  /** What the guest answers to the question of that number. */
  answered(question: number, answer: CheckedAnswer): void;
}

export class VcpuThread {
  /** Where it asks for pages that are still on the source. */
  readonly faults: MessagePort;
  /** Resolves when it is parked; rejects when it ended before, or the start was given up. */
  readonly ready: Promise<void>;
  readonly #worker: WorkerThread<never, VcpuMessage>;
  readonly #machine: SharedMachine;
  readonly #events: VcpuThreadEvents;
  readonly #name: string;
  readonly #loading;
  #hasEnded = false;
  #isReady: () => void = () => undefined;
  #isGivenUp: (error: MicrostunError) => void = () => undefined;

  /** `boots`: it fills the fresh guest before it parks. */
  constructor(machine: SharedMachine, vcpu: number, boots: boolean, events: VcpuThreadEvents) {
    const { port1, port2 } = new MessageChannel();
    this.faults = port1;
    this.#machine = machine;
    this.#events = events;
    this.#name = `vCPU ${vcpu}`;
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isGivenUp = reject;
    });
    this.ready.catch(() => undefined);
    this.#loading = watchLoading(machine.module, this.#onFailure);
    const workerData: VcpuWorkerData = { machine, vcpu, boots, faults: port2 };
    const entry = new URL('./vcpu-worker.js', import.meta.url);
    this.#worker = new WorkerThread(this.#name, entry, workerData, this.#onMessage, this.#onFailure, [port2]);
  }

  readonly #onMessage = (message: VcpuMessage): void => {
    switch (message.kind) {
      case 'loaded':
        this.#loading?.cancel();
        return;
      case 'ready':
        this.#isReady();
        return;
      case 'short-of-memory':
        this.#events.shortOfMemory();
        return;
      case 'powered-off':
        this.#end(poweredOffError(this.#machine.spec.program, message.reason));
        return;
      case 'answered':
        this.#events.answered(message.question, message.answer);
        return;
      default:
        unreachable(message);
    }
  };

  readonly #onFailure = (error: MicrostunError): void => {
    const text = `${this.#name} of guest "${this.#machine.spec.program}" failed: ${error.message}`;
    this.#end(new MicrostunError('GUEST_FAILED', text, { cause: error.cause }));
  };

  #end(error: MicrostunError): void {
    this.#loading?.cancel();
    // Of a vCPU that powered the guest off, the worker ends as well.
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isGivenUp(error);
    this.#events.ended(error);
  }

  /** Whoever waits for it to be ready waits no more. */
  giveUpStart(error: MicrostunError): void {
    this.#isGivenUp(error);
  }

  /** It was asked to end: after `ms` it is ended wherever it is; at once with none. */
  async end(ms?: number): Promise<void> {
    await (ms === undefined ? this.#worker.terminate() : this.#worker.terminateAfter(ms));
  }
}
