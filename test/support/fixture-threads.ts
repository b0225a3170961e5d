// Worker threads that a test drives: started from a .mjs beside this file, asked by message, ended with the test.
// Knows nothing of what they do.
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

export class FixtureWorker {
  readonly #worker: Worker;
  readonly #messages: unknown[] = [];
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(file: string, workerData: unknown) {
    this.#worker = new Worker(new URL(`./${file}`, import.meta.url), { workerData });
    this.#worker.on('message', (message) => {
      this.#messages.push(message);
      this.#wake?.();
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
      this.#wake?.();
    });
  }

  get hasAnswered(): boolean {
    return this.#messages.length > 0;
  }

  /** The next message. Throws what the worker threw. Leaves the processor to the workers while it waits. */
  async answer(): Promise<unknown> {
    while (!this.hasAnswered && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#messages.shift();
  }

  ask(request: unknown): Promise<unknown> {
    this.#worker.postMessage(request);
    return this.answer();
  }

  /** Resolves when it has ended by itself; with its exit status, 0 unless it threw. */
  async ended(): Promise<number> {
    return new Promise((resolve) => {
      this.#worker.once('exit', resolve);
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The fixture workers of one test. */
export class FixtureWorkers {
  readonly #workers: FixtureWorker[] = [];

  start(file: string, workerData: unknown): FixtureWorker {
    const worker = new FixtureWorker(file, workerData);
    this.#workers.push(worker);
    return worker;
  }

  async terminate(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
  }
}

/** Resolves once `condition` holds; looks again after whatever else this thread has to do. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

/** Shared words, all 0. */
export function sharedWords(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * count));
}
