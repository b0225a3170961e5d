// A command whose guest people bring runs in a process of its own: this one starts it, passes signals on, and says so when
// it dies. Knows no guest and no migration, but for who owned the guest when it was last heard of.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MicrostunError } from '../shared/errors.js';
import { REPORT_VERSION, reportText, type FailureReport } from '../report/document.js';
import { refuseWithoutProcesses } from '../shared/permission.js';
import { isModulePath } from '../shared/guest/guest-module.js';
import { hostName } from '../shared/wire/messages.js';
import { exitStatusOf } from './exit-status.js';
import { endWithStarter, environmentFor, ownProcess } from './own-process/marker.js';
import { complain, standardOutput } from './output.js';

/** What the process of the guest tells. */
type SupervisedNotice =
  | { readonly kind: 'phase'; readonly phase: string; readonly owner: FailureReport['owner'] }
  | { readonly kind: 'printed' };

/** A guest that is moved has entered a phase, and whose it is then. */
export function notePhase(phase: string, owner: FailureReport['owner']): void {
  if (ownProcess === 'command') process.send?.({ kind: 'phase', phase, owner } satisfies SupervisedNotice);
}

/** A document is on standard output. */
function notePrinted(): void {
  if (ownProcess === 'command') process.send?.({ kind: 'printed' } satisfies SupervisedNotice);
}
standardOutput.onDocument(notePrinted);
if (ownProcess !== undefined) endWithStarter();

/** Signals that its user sends a command. */
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGUSR2', 'SIGCONT'] as const;

/** Whether a command with that `--guest` is to run in a process of its own that is not this one. */
export function isOfOwnProcess(guest: string): boolean {
  return isModulePath(guest) && ownProcess === undefined;
}

let isDocumentElsewhere = false;

/** Whether a document is another process's to print. */
export function isSupervising(): boolean {
  return isDocumentElsewhere;
}

/** Runs this very command in a process of its own; answers the exit status. `isDocumented`: --json. */
export async function runSupervised(isDocumented: boolean): Promise<number> {
  refuseWithoutProcesses('a guest that people bring');
  isDocumentElsewhere = true;
  // A Ctrl-C at the terminal is passed on, once.
  const child = fork(fileURLToPath(new URL('./main.js', import.meta.url)), process.argv.slice(2), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: environmentFor('command'),
    detached: true,
  });
  const last = { phase: 'starting', owner: 'nobody' as FailureReport['owner'], isPrinted: false };
  child.on('message', (message) => {
    const notice = message as SupervisedNotice;
    if (notice.kind === 'printed') last.isPrinted = true;
    else Object.assign(last, { phase: notice.phase, owner: notice.owner });
  });
  const passOn = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const signal of PASSED_ON) process.on(signal, passOn);
  const { status, signal } = await new Promise<{
    readonly status: number | null;
    readonly signal: NodeJS.Signals | null;
  }>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, by) => {
      resolve({ status: code, signal: by });
    });
  });
  for (const one of PASSED_ON) process.off(one, passOn);
  if (signal === null) return status ?? exitStatusOf('WORKER_FAILED');
  const error = new MicrostunError(
    'GUEST_FAILED',
    `the process of the guest was ended by ${signal}${HINTS[signal] ?? ''}`,
  );
  complain(error.message);
  if (isDocumented && !last.isPrinted)
    standardOutput.print(reportText(documentOf(error, last.phase, last.owner)));
  return exitStatusOf(error.code);
}

/** What usually sends it. */
const HINTS: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGKILL: ': by somebody, or by a host that ran out of memory',
  SIGABRT: ': it gave up, perhaps for want of memory',
  SIGSEGV: ': it crashed in native code',
  SIGBUS: ': it crashed in native code',
};

function documentOf(error: MicrostunError, phase: string, owner: FailureReport['owner']): FailureReport {
  return {
    version: REPORT_VERSION,
    outcome: 'failed',
    phase,
    error: { code: error.code, message: error.message },
    // What was the source's went with it.
    owner: owner === 'source' ? 'nobody' : owner,
    safeNext: safeNextOf(owner),
    source: { pid: process.pid, host: hostName() },
  };
}

function safeNextOf(owner: FailureReport['owner']): string {
  switch (owner) {
    case 'in doubt':
      return 'look at the destination: if it runs the guest ("runs here"), use it there; else start the guest anew';
    case 'destination':
      return 'look at the destination, which owns the guest: pages that had not arrived there were only here, and it says which it lacks';
    default:
      return 'mend the guest, and start it anew: it ended with its process, and nothing was migrated';
  }
}
