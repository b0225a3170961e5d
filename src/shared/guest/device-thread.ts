// The device thread of a machine as its main thread holds it: started, bound to addresses of this host, and ended.
// Knows no device; what they do is src/shared/devices, which this starts by URL.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { WORKER_END_MS_MAX } from '../limits.js';
import { MicrostunError } from '../errors.js';
import { WorkerThread } from '../worker-thread.js';
import type { DeviceBindings, ListeningDevices } from '../devices/device-bindings.js';
import type { DeviceMessage, DeviceRequest, DeviceWorkerData } from '../devices/device-worker.js';
import type { SharedMachine } from './shared-machine.js';

export class DeviceThread {
  readonly #worker: WorkerThread<DeviceRequest, DeviceMessage>;
  /** Where the device thread asks for absent pages. */
  readonly faults: MessagePort;
  /** Resolves once every binding is listened on, with where; rejects as LISTEN_FAILED or WORKER_FAILED. */
  readonly ready: Promise<ListeningDevices>;

  /** `hasCome`: the guest comes from another host, and its connections do not. */
  constructor(
    machine: SharedMachine,
    bindings: DeviceBindings,
    hasCome: boolean,
    onFailure: (error: MicrostunError) => void,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.faults = port1;
    const workerData: DeviceWorkerData = { machine, bindings, hasCome, faults: port2 };
    let isReady: (published: ListeningDevices) => void;
    let isRefused: (error: MicrostunError) => void;
    this.ready = new Promise((resolve, reject) => {
      isReady = resolve;
      isRefused = reject;
    });
    this.ready.catch(() => undefined);
    this.#worker = new WorkerThread<DeviceRequest, DeviceMessage>(
      'device',
      new URL('../devices/device-worker.js', import.meta.url),
      workerData,
      (message) => {
        if (message.kind === 'ready') isReady(message.listening);
        else isRefused(new MicrostunError(message.code, message.reason));
      },
      (error) => {
        isRefused(error);
        onFailure(error);
      },
      [port2],
    );
  }

  /** Ends it once what was put out has gone; nothing comes in any more. */
  async close(): Promise<void> {
    this.faults.close();
    this.#worker.post({ kind: 'exit' });
    await this.#worker.terminateAfter(WORKER_END_MS_MAX);
  }
}
