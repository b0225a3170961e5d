// The audit of a parked guest, in a worker of its own: started, answered, or stopped.
// Knows no program; what is checked is the program's.
import { MicrostunError } from '../errors.js';
import { WorkerThread } from '../worker-thread.js';
import type { AuditResult } from './guest-program.js';
import type { SharedMachine } from './shared-machine.js';

/**
 * Checks the whole parked guest in a worker, which is ended wherever it is when `signal` is aborted.
 * @throws MicrostunError WORKER_FAILED; CANCELLED when it was aborted.
 */
export function auditGuest(machine: SharedMachine, signal?: AbortSignal): Promise<AuditResult> {
  return new Promise((resolve, reject) => {
    const entry = new URL('./audit-worker.js', import.meta.url);
    const worker = new WorkerThread<never, AuditResult>(
      'audit',
      entry,
      machine,
      (result) => {
        void worker.ended();
        resolve(result);
      },
      reject,
    );
    const stop = (): void => {
      reject(new MicrostunError('CANCELLED', 'the audit was stopped'));
      void worker.terminate();
    };
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
  });
}
