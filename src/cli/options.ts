// The flags that do not belong to one command: output, and the patience of whoever keeps a guest.
import type { Argv } from 'yargs';
import { once, wholeNumber } from './flag-values.js';
import { logLevels } from './logger.js';
import { securityOptions } from './security-options.js';

/** Flags of every command. */
export function commonOptions<T>(yargs: Argv<T>) {
  return outputOptions(securityOptions(yargs));
}

/** What is said, and where. */
export function outputOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['log-level'])
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'Print one JSON document on standard output, nothing else',
    })
    .option('log-level', {
      choices: logLevels,
      default: 'warn' as const,
      describe: 'Log to standard error from this level on',
    });
}

/** How long a guest is kept that could not leave: flags of whatever runs one for longer than a migration. */
export function patienceOptions<T>(yargs: Argv<T>) {
  return inDoubtOption(
    yargs.requiresArg('retries').option('retries', {
      type: 'string',
      default: '5',
      describe:
        'Try again so often, after 1 s and then twice as long each time; the guest runs on, and SIGUSR2 (or m and Enter) tries now',
      coerce: once(wholeNumber('--retries', 0, 1_000_000)),
    }),
  );
}

/** What a doubt that lasts ends in. */
export function inDoubtOption<T>(yargs: Argv<T>) {
  return yargs.requiresArg('in-doubt').option('in-doubt', {
    choices: ['wait', 'end'] as const,
    default: 'wait' as const,
    describe:
      'wait: a guest whose hand-over has no answer stays paused here, and the destination is asked on; end: after twice --in-doubt-after it ends with this process',
  });
}
