// What a guest's module says of its guest, read in a process of its own: whatever the module does while it is loaded, its
// reader lives on. Knows how long that may take; what the facts mean is define-guest.ts's.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MicrostunError } from '../errors.js';
import { refuseWithoutProcesses } from '../permission.js';
import { after } from '../timers.js';
import type { GuestFacts } from './define-guest.js';
import { loadFailure, LOAD_MS_MAX, NEVER_LOADED, UNSETTLED_STATUS } from './loading.js';

/** What facts-process.ts tells: the facts, or what is wrong with the module. */
export type FactsNotice = { readonly facts: GuestFacts } | { readonly failure: string };

/**
 * Loads the module elsewhere.
 * @throws MicrostunError GUEST_FAILED naming the file and what is wrong with it; USAGE when this process may start no other.
 */
export async function readFacts(module: string, msMax = LOAD_MS_MAX): Promise<GuestFacts> {
  refuseWithoutProcesses(`the guest in ${fileURLToPath(module)}`);
  return new Promise((resolve, reject) => {
    const entry = fileURLToPath(new URL('./facts-process.js', import.meta.url));
    const child = fork(entry, [module], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const limit = after(msMax, () => {
      reject(loadFailure(module, NEVER_LOADED));
      child.kill('SIGKILL');
    });
    child.once('message', (notice) => {
      limit.cancel();
      const told = notice as FactsNotice;
      if ('facts' in told) resolve(told.facts);
      else reject(new MicrostunError('GUEST_FAILED', told.failure));
      // Timers and servers of the module would keep it.
      child.kill('SIGKILL');
    });
    child.once('error', (error) => {
      limit.cancel();
      reject(loadFailure(module, `its process could not be started: ${error.message}`, error));
    });
    child.once('exit', (status, signal) => {
      limit.cancel();
      const how = signal === null ? `status ${status}` : `signal ${signal}`;
      reject(
        loadFailure(
          module,
          status === UNSETTLED_STATUS ? NEVER_LOADED : `its process ended with ${how} while it was loaded`,
        ),
      );
    });
  });
}
