// The main job on one machine: starts a destination process, is the source itself, and migrates the guest over TCP.
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MicrostunError } from '../shared/errors.js';
import { refuseWithoutProcesses } from '../shared/permission.js';
import type { Address } from '../shared/wire/sockets.js';
import { lendTerminal } from './borrowed-terminal.js';
import { NOTHING_PUBLISHED } from './device-options.js';
import type { ChosenGuest } from './guest-options.js';
import type { ListeningNotice } from './destination-run.js';
import type { MigrationArguments } from './migration-run.js';
import { standardError } from './output.js';
import { securityFlagsOf } from './security-options.js';
import { runSource } from './source-run.js';

const LOOPBACK: Address = { host: '127.0.0.1', port: 0 };

/** Nobody keeps a guest of a demo. */
const ONE_ATTEMPT = { retries: 0, once: true, inDoubt: 'end' } as const;

/** Answers the exit status. */
export async function runDemo(
  guest: ChosenGuest,
  flags: Omit<MigrationArguments, keyof typeof ONE_ATTEMPT> & { readonly reserve: number | undefined },
): Promise<number> {
  const args: MigrationArguments = { ...flags, ...ONE_ATTEMPT };
  const child = startDestination(args, flags.reserve, guest.module);
  // When it has ended and all of what it said is here. ('close' says so too, but does not always come after we disconnect.)
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
  });
  const said = new Promise<void>((resolve) => {
    child.stderr?.once('close', resolve);
  });
  const ended = Promise.all([exited, said]);
  if (child.stderr !== null)
    createInterface(child.stderr).on('line', (line) => {
      standardError.say(line);
    });
  try {
    const { listening } = await notice(child);
    const status = await runSource(guest, listening, LOOPBACK, { ...args, ...NOTHING_PUBLISHED });
    if (status === 0) await ended;
    return status;
  } finally {
    // A destination that is still there has no guest, or one that nobody waits for: its parent is what it ends with.
    if (child.connected) child.disconnect();
    await ended;
  }
}

// Its standard output stays empty (no --json), its standard error is shown as ours.
function startDestination(
  args: MigrationArguments,
  reserve: number | undefined,
  module: string | undefined,
): ChildProcess {
  refuseWithoutProcesses('the destination of a demo');
  const entry = fileURLToPath(new URL('./main.js', import.meta.url));
  return fork(
    entry,
    [
      ...['destination', '--listen', '127.0.0.1:0', '--run-for', '0ms', '--once'],
      ...['--log-level', args.logLevel],
      ...securityFlagsOf(args),
      ...(module === undefined ? [] : ['--allow-guest', fileURLToPath(module)]),
      ...(reserve === undefined ? [] : ['--reserve', `${reserve}`]),
    ],
    {
      // Both write to one terminal: what it says goes through us, so that no line lands within another.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: lendTerminal('destination', standardError.isTerminal),
      // A Ctrl-C at the terminal is the source's to handle; it takes the destination along.
      detached: true,
    },
  );
}

function notice(child: ChildProcess): Promise<ListeningNotice> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      resolve(message as ListeningNotice);
    });
    child.once('error', reject);
    child.once('exit', (status) => {
      reject(
        new MicrostunError(
          'WORKER_FAILED',
          `the destination process ended with status ${status} before it listened`,
        ),
      );
    });
  });
}
