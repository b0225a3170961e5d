// A worker thread as its owner holds it: typed messages both ways, and a failure that cannot be missed.
// A leaf; the entry files are named by URL and never imported.
import { Worker, type Transferable, type WorkerOptions } from 'node:worker_threads';
import { MicrostunError, messageOf } from './errors.js';

/** Heap limits that keep a worker small; guest memory lies outside of the heap. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };

/** `Request` is what the owner posts, `Message` what the worker posts back. */
export class WorkerThread<Request, Message> {
  readonly name: string;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #isEnding = false;

  /**
   * Starts `entry` with `workerData`. `onFailure` is called once if it throws or ends without being asked to.
   * @throws MicrostunError WORKER_FAILED when the host allows no further thread.
   */
  constructor(
    name: string,
    entry: URL,
    workerData: unknown,
    onMessage: (message: Message) => void,
    onFailure: (error: MicrostunError) => void,
    transferList: Transferable[] = [],
  ) {
    this.name = name;
    this.#worker = startWorker(entry, { name, workerData, transferList, resourceLimits: RESOURCE_LIMITS });
    let failure: unknown;
    this.#worker.on('message', onMessage);
    this.#worker.on('error', (error) => {
      failure = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (status) => {
        resolve();
        if (this.#isEnding && failure === undefined) return;
        const why = failure === undefined ? `it ended with status ${status}` : whyOf(failure);
        onFailure(
          new MicrostunError('WORKER_FAILED', `the ${name} worker failed: ${why}`, { cause: failure }),
        );
      });
    });
  }

  post(request: Request, transferList: readonly Transferable[] = []): void {
    this.#worker.postMessage(request, transferList);
  }

  /** The worker will end by itself from now on; resolves when it has. */
  async ended(): Promise<void> {
    this.#isEnding = true;
    await this.#exited;
  }

  /** The worker was asked to end; after `ms` it is ended wherever it is. */
  async terminateAfter(ms: number): Promise<void> {
    const timer = setTimeout(() => {
      void this.#worker.terminate();
    }, ms);
    await this.ended();
    clearTimeout(timer);
  }

  /** Ends the worker wherever it is. */
  async terminate(): Promise<void> {
    this.#isEnding = true;
    await this.#worker.terminate();
  }
}

function startWorker(entry: URL, options: WorkerOptions): Worker {
  try {
    return new Worker(entry, options);
  } catch (error) {
    throw new MicrostunError(
      'WORKER_FAILED',
      `the ${options.name} worker could not be started: ${whyOf(error)}`,
      { cause: error },
    );
  }
}

/** Why a worker failed, in words that say what to do; the platform says only "EAGAIN" where threads are limited. */
export function whyOf(failure: unknown): string {
  const text = messageOf(failure);
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  if (code === 'ERR_WORKER_INIT_FAILED')
    return (
      `this host allows no further thread (${text}); raise its limit (ulimit -u, or the pids limit of the container ` +
      'or service), or ask for fewer --vcpus and --connections'
    );
  return text;
}
