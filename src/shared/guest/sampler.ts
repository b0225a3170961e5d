// Guest-side truth: each vCPU's throughput and its longest stalls, sampled all along by a worker of its own.
// The main thread starts and stops it; what is made of the samples is the report's business.
import type { MicrostunError } from '../errors.js';
import { after } from '../timers.js';
import { WorkerThread } from '../worker-thread.js';
import type { SamplerMessage, SamplerWorkerData } from './sampler-worker.js';
import { SAMPLE_INTERVAL_MS, SamplerCommand } from './samples.js';
import type { SharedMachine } from './shared-machine.js';

/** It answers within an interval; one that does not in this time is given up, and its samples with it. */
const STOP_MS_MAX = 3000;

export class GuestSampler {
  readonly #command = new Int32Array(new SharedArrayBuffer(4));
  readonly #samples: Promise<Float64Array>;
  #giveUp: () => void = () => undefined;

  /**
   * `doublesMax` bounds its buffer (samples.ts). A sampler that fails answers no samples. One at a time a machine.
   * `tell`: some of the samples while they are taken (told-samples.ts).
   */
  constructor(
    machine: SharedMachine,
    doublesMax: number,
    onFailure: (error: MicrostunError) => void,
    tell?: (samples: Float64Array) => void,
  ) {
    const workerData: SamplerWorkerData = {
      machine,
      intervalMs: SAMPLE_INTERVAL_MS,
      doublesMax,
      tells: tell !== undefined,
      command: this.#command.buffer,
    };
    this.#samples = new Promise((resolve) => {
      this.#giveUp = () => {
        resolve(new Float64Array(0));
        void worker.terminate();
      };
      const worker = new WorkerThread<never, SamplerMessage>(
        'sampler',
        new URL('./sampler-worker.js', import.meta.url),
        workerData,
        ({ kind, samples }) => {
          if (kind === 'told') {
            tell?.(samples);
            return;
          }
          void worker.ended();
          resolve(samples);
        },
        (error) => {
          resolve(new Float64Array(0));
          onFailure(error);
        },
      );
    });
  }

  /** Begins to sample. */
  start(): void {
    this.#tell(SamplerCommand.SAMPLE);
  }

  /** Ends the sampling; answers rows as samples.ts says. */
  async stop(): Promise<Float64Array> {
    this.#tell(SamplerCommand.STOP);
    const timer = after(STOP_MS_MAX, this.#giveUp);
    const samples = await this.#samples;
    timer.cancel();
    return samples;
  }

  #tell(command: number): void {
    Atomics.store(this.#command, 0, command);
    Atomics.notify(this.#command, 0);
  }
}
