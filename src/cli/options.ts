// The flags that several commands share, with their units and their help. Values are parsed here and refused here.
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { catalogue, programNames } from '../shared/guest/programs/catalogue.js';
import { logLevels } from './logger.js';
import { MEMORY_BYTES_MAX } from '../shared/memory/layout.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { VCPUS_MAX } from '../shared/memory/safepoint-words.js';
import { parseBitRate, parseDurationMs, parseSize, parseWriteRate } from '../shared/units.js';
import type { ScriptedCut } from '../lab/emulated-link.js';
import { CONNECTIONS_MAX } from '../shared/wire/messages.js';

/** Flags of every command. */
export function commonOptions<T>(yargs: Argv<T>) {
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

/** Flags that shape the guest. */
export function guestOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['guest', 'memory', 'vcpus', 'seed', 'write-rate'])
    .option('guest', {
      choices: programNames,
      default: 'hot-set',
      describe: `What the guest does: ${programNames.map((name) => `${name} (${catalogue[name]!.summary})`).join('; ')}`,
    })
    .option('memory', {
      type: 'string',
      default: '256MiB',
      describe: 'Guest memory, a whole number of 4 KiB pages',
      coerce: once(parseMemory),
    })
    .option('vcpus', {
      type: 'string',
      default: '2',
      describe: `vCPUs, 1 to ${VCPUS_MAX}`,
      coerce: once(wholeNumber('--vcpus', 1, VCPUS_MAX)),
    })
    .option('seed', {
      type: 'string',
      default: '1',
      describe: 'Seed of everything random in the guest',
      coerce: once(wholeNumber('--seed', 0, 0xffff_ffff)),
    })
    .option('write-rate', {
      type: 'string',
      describe: 'Pages the guest writes a second, such as 50k, or max (default: 100k)',
      coerce: once(parseWriteRate),
    });
}

const MIGRATION_VALUE_FLAGS = [
  'mode',
  'trace',
  'bitmap',
  'connections',
  'bandwidth',
  'fault-bandwidth',
  'delay',
  'cut',
  'max-rounds',
  'time-limit',
  'on-timeout',
  'stun-budget',
  'migrate-after',
  'audit-after',
  'connect-timeout',
  'reconnect-timeout',
  'in-doubt-after',
  'report',
];

/** Flags that shape the migration. */
export function migrationOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(MIGRATION_VALUE_FLAGS)
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
      choices: ['compacted', 'raw'] as const,
      default: 'compacted' as const,
      describe: 'How the bitmap crosses the wire',
    })
    .option('connections', {
      type: 'string',
      default: '2',
      describe: `Page connections, 1 to ${CONNECTIONS_MAX}`,
      coerce: once(wholeNumber('--connections', 1, CONNECTIONS_MAX)),
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
    .option('max-rounds', {
      type: 'string',
      default: '30',
      describe: 'Pre-copy rounds at the most',
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
        'Switch over once the forecast stun fits in this time: parking, last harvest, bitmap and hand-over; with --mode pre-copy also the copying of the pages that are left',
      coerce: once(parseDurationMs),
    })
    .option('migrate-after', {
      type: 'string',
      default: '1s',
      describe: 'Let the guest run this long first',
      coerce: once(parseDurationMs),
    })
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

/** How long a guest is kept that could not leave: flags of whatever runs one for longer than a migration. */
export function patienceOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['retries', 'in-doubt'])
    .option('retries', {
      type: 'string',
      default: '5',
      describe:
        'Try again so often, after 1 s and then twice as long each time; the guest runs on, and SIGUSR2 (or m and Enter) tries now',
      coerce: once(wholeNumber('--retries', 0, 1_000_000)),
    })
    .option('in-doubt', {
      choices: ['wait', 'end'] as const,
      default: 'wait' as const,
      describe:
        'wait: a guest whose hand-over has no answer stays paused here, and the destination is asked on; end: after twice --in-doubt-after it ends with this process',
    });
}

/** A flag given twice reaches yargs as a list; it is one value or an error. */
export function once<Value, Result>(parse: (value: Value) => Result): (value: Value | Value[]) => Result {
  return (value) => {
    if (Array.isArray(value))
      throw new MicrostunError(
        'USAGE',
        `a flag was given ${value.length} times: ${value.join(', ')}; give it once`,
      );
    return parse(value);
  };
}

/** Longer than light takes around the earth is no network of ours, and the heartbeat would not outlive it. */
const DELAY_MS_MAX = 2000;

function parseDelay(text: string): number {
  const ms = parseDurationMs(text);
  if (ms > DELAY_MS_MAX)
    throw new MicrostunError('USAGE', `--delay ${text} is too long; give at most ${DELAY_MS_MAX} ms`);
  return ms;
}

/** Cuts in one value: a list would look like a flag that was given several times. */
export interface CutScript {
  readonly cuts: readonly ScriptedCut[];
}

function parseCuts(text: string): CutScript {
  const cuts = text.split(',').map((cut) => {
    const [at = '', forTime = '0ms', ...rest] = cut.split('+');
    if (rest.length > 0)
      throw new MicrostunError(
        'USAGE',
        `--cut ${cut} is no cut; write an instant, such as 2s, and perhaps for how long: 2s+500ms`,
      );
    return { atMs: parseDurationMs(at), forMs: parseDurationMs(forTime) };
  });
  return { cuts };
}

function parseMemory(text: string): number {
  const bytes = parseSize(text);
  if (bytes % PAGE_BYTES !== 0) {
    throw new MicrostunError(
      'USAGE',
      `--memory ${text} is no whole number of ${PAGE_BYTES}-byte pages; try ${Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES}`,
    );
  }
  if (bytes > MEMORY_BYTES_MAX) {
    throw new MicrostunError(
      'USAGE',
      `--memory ${text} is too much: a guest has at most ${MEMORY_BYTES_MAX / 2 ** 20}MiB (4 GiB less 2 MiB, ${MEMORY_BYTES_MAX} bytes)`,
    );
  }
  return bytes;
}

/** A parser of whole numbers from `min` to `max`. */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      throw new MicrostunError(
        'USAGE',
        `${name} ${text} makes no sense; give a whole number from ${min} to ${max}`,
      );
    }
    return value;
  };
}

export interface GuestArguments {
  readonly guest: string;
  readonly memory: number;
  readonly vcpus: number;
  readonly seed: number;
  readonly writeRate?: number | undefined;
}

/** The guest that the flags describe. */
export function guestSpecOf({ guest, memory, vcpus, seed, writeRate }: GuestArguments): GuestSpec {
  return {
    program: guest,
    memoryBytes: memory,
    vcpus,
    seed,
    writeRate: writeRate ?? catalogue[guest]!.defaultWriteRate,
  };
}

/** Refuses flags that were given more than once and take one value, whatever their kind. */
export function refuseRepeatedFlags(parsed: Readonly<Record<string, unknown>>): true {
  for (const [name, value] of Object.entries(parsed)) {
    if (name !== '_' && Array.isArray(value)) {
      throw new MicrostunError(
        'USAGE',
        `--${name} was given ${value.length} times: ${value.join(', ')}; give it once`,
      );
    }
  }
  return true;
}
