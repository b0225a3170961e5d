// The flags that shape a migration: its logic, and the network that it takes.
import type { Argv } from 'yargs';
import { parseBitRate, parseDurationMs } from '../shared/units.js';
import { once, parseCuts, parseDelay, parseNotice, wholeNumber } from './flag-values.js';
import { CONNECTIONS_MAX } from '../shared/limits.js';

/** Flags that shape the migration. */
export function migrationOptions<T>(yargs: Argv<T>) {
  return networkOptions(logicOptions(yargs));
}

/** How pages are traced and copied, and when the guest is switched over. */
export function logicOptions<T>(yargs: Argv<T>) {
  return auditOptions(migrateAfterOption(wayOptions(yargs)));
}

/** Flags of a migration that begins when it is ordered. */
export function orderedMigrationOptions<T>(yargs: Argv<T>) {
  return networkOptions(auditOptions(wayOptions(yargs)));
}

function wayOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg([
      ...['mode', 'trace', 'bitmap', 'max-rounds', 'time-limit', 'on-timeout', 'stun-budget'],
      'guest-notice',
    ])
    .option('mode', {
      choices: ['hybrid', 'pre-copy', 'post-copy'] as const,
      default: 'hybrid' as const,
      describe:
        'hybrid: pages that are left follow after the stun; pre-copy: within it; post-copy: all memory follows',
    })
    .option('trace', {
      choices: ['dedicated', 'all-vcpus'] as const,
      default: 'dedicated' as const,
      describe:
        'Who installs traces: a tracer while the vCPUs run (vSphere 7), or all vCPUs, stopped (before)',
    })
    .option('bitmap', {
      choices: ['ahead', 'compacted', 'raw'] as const,
      default: 'ahead' as const,
      describe:
        'How the bitmap crosses the wire: ahead of the stun but for what was dirtied since, or within it by its runs (vSphere 7) or whole (before)',
    })
    .option('max-rounds', {
      type: 'string',
      default: '30',
      describe: 'Rounds at the most, in pre-copy and hybrid',
      coerce: once(wholeNumber('--max-rounds', 1, 100_000)),
    })
    .option('time-limit', {
      type: 'string',
      default: '5m',
      describe: 'How long the rounds may take',
      coerce: once(parseDurationMs),
    })
    .option('on-timeout', {
      choices: ['post-copy', 'throttle', 'abort'] as const,
      default: 'post-copy' as const,
      describe:
        'What happens then: the rest follows after the stun, the guest is slowed down, or nothing has happened',
    })
    .option('stun-budget', {
      type: 'string',
      default: '10ms',
      describe:
        'Switch over once the forecast stun fits in this time: parking, last harvest, bitmap, hand-over, and the copying of the pages that are left',
      coerce: once(parseDurationMs),
    })
    .option('guest-notice', {
      type: 'string',
      default: '5s',
      describe:
        'How long a guest with a say (beforeMigration) may be asked before it is stopped; after that it is moved without its consent; 0s: it is not asked',
      coerce: once(parseNotice),
    });
}

/** How long the guest runs before it is moved. */
function migrateAfterOption<T>(yargs: Argv<T>) {
  return yargs.requiresArg('migrate-after').option('migrate-after', {
    type: 'string',
    default: '1s',
    describe: 'Let the guest run this long first',
    coerce: once(parseDurationMs),
  });
}

/** What is looked at after. */
function auditOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg('audit-after')
    .option('audit', {
      type: 'boolean',
      default: true,
      describe: 'Check all of the guest at the destination; --no-audit does not',
    })
    .option('audit-after', {
      type: 'string',
      default: '500ms',
      describe: 'Let the guest run this long at the destination before its audit',
      coerce: once(parseDurationMs),
    });
}

/** What connects the two sides, and how long they wait for each other. */
export function networkOptions<T>(yargs: Argv<T>) {
  return connectionOptions(proofOptions(yargs));
}

function connectionOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg([
      'connections',
      'dial',
      'bandwidth',
      'fault-bandwidth',
      'delay',
      'cut',
      'connect-timeout',
      'reconnect-timeout',
      'in-doubt-after',
    ])
    .option('connections', {
      type: 'string',
      default: '2',
      describe: `Page connections, 1 to ${CONNECTIONS_MAX}`,
      coerce: once(wholeNumber('--connections', 1, CONNECTIONS_MAX)),
    })
    .option('dial', {
      choices: ['destination', 'source'] as const,
      default: 'destination' as const,
      describe:
        'Who dials the page and fault connections: the destination, which reads them into the guest in place, or the source, where the destination cannot reach it',
    })
    .option('bandwidth', {
      type: 'string',
      describe:
        'Send pages at this rate at the most, such as 200Mbit or 10Gbit (default: as fast as it goes)',
      coerce: once(parseBitRate),
    })
    .option('fault-bandwidth', {
      type: 'string',
      describe: 'Send pages that faults ask for at this rate at the most (default: as fast as it goes)',
      coerce: once(parseBitRate),
    })
    .option('delay', {
      type: 'string',
      describe:
        'Emulate a longer network: add this to each round trip, such as 10ms (metro) or 150ms (long distance)',
      coerce: once(parseDelay),
    })
    .option('cut', {
      type: 'string',
      describe:
        'Emulate cuts: all connections are lost this long after the migration began, for a time: 2s, 2s+500ms, or several with commas',
      coerce: once(parseCuts),
    })
    .option('connect-timeout', {
      type: 'string',
      default: '30s',
      describe: 'Try this long to reach a destination that is not up yet',
      coerce: once(parseDurationMs),
    })
    .option('reconnect-timeout', {
      type: 'string',
      default: '10s',
      describe:
        'Try this long to make lost connections again; a destination waits half as long again for its source',
      coerce: once(parseDurationMs),
    })
    .option('in-doubt-after', {
      type: 'string',
      default: '15s',
      describe: 'Ask this long whether the hand-over was taken before the migration is reported as in doubt',
      coerce: once(parseDurationMs),
    });
}

/** How it is made sure that what arrives is what left. */
function proofOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('checksums', {
      type: 'boolean',
      default: true,
      describe: 'Send a check of its pages with each frame of them; --no-checksums does not, in a lab',
    })
    .option('verify', {
      type: 'boolean',
      default: false,
      describe:
        'Compare all of memory with what the source had at the hand-over, by a hash of each page, while the guest runs on',
    });
}
