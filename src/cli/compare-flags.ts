// The command line of `compare`: which of its flags every run gets, and the settings that a user wrote.
// Pure but for yargs, which checks flags here as it will check them in the run.
import yargs from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import { standardSettings, type Setting } from '../report/comparison/comparison.js';
import { flagshipFlags, flagshipSettings } from '../report/comparison/flagship.js';
import { refuseRepeatedFlags } from './flag-values.js';
import { guestOptions, MEMORY_BYTES } from './guest-options.js';
import { migrationOptions } from './migration-options.js';
import { commonOptions } from './options.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { stuckRunMs } from '../shared/limits.js';

/** Flags of `compare` itself that take a value; its runs do not get them. */
const OWN_FLAGS = ['--runs', '--a', '--b', '--out', '--csv', '--report'];
const SETTING_FLAGS = ['--a', '--b', '-a', '-b'];

const isOwn = (token: string): boolean =>
  OWN_FLAGS.some((flag) => token === flag || token.startsWith(`${flag}=`));

/**
 * `--a "--mode hybrid"` as `--a=--mode hybrid`, in a command line of `compare`: yargs would take the value for flags.
 * Where no value follows, the flag is left alone, and yargs complains.
 */
export function joinSettingFlags(commandLine: readonly string[]): string[] {
  if (!commandLine.includes('compare')) return [...commandLine];
  const joined: string[] = [];
  for (let index = 0; index < commandLine.length; index++) {
    // Help shows a flag of one letter with one dash; both are read.
    const token = commandLine[index]!.replace(/^-([ab]=)/, '--$1');
    const next = commandLine[index + 1];
    if (!SETTING_FLAGS.includes(token) || next === undefined || isOwn(next)) joined.push(token);
    else {
      joined.push(`--${token.at(-1)!}=${next}`);
      index++;
    }
  }
  return joined;
}

/** With `--flagship` in a command line of `compare`: that line, and what the flagship's guest is where it says nothing else. */
export function addFlagshipFlags(commandLine: readonly string[]): string[] {
  const isFlagship = commandLine.some((token) => /^--flagship(?:=true)?$/.test(token));
  if (!isFlagship || !commandLine.includes('compare')) return [...commandLine];
  const isSaid = (flag: string): boolean =>
    commandLine.some((token) => token === flag || token.startsWith(`${flag}=`));
  return [...commandLine, ...flagshipFlags.filter(([flag]) => !isSaid(flag)).flat()];
}

/** The flags of a `compare` command line that every run gets: all but its own. They have been checked before. */
export function sharedFlags(commandLine: readonly string[]): string[] {
  const flags: string[] = [];
  for (let index = 0; index < commandLine.length; index++) {
    const token = commandLine[index]!;
    if (OWN_FLAGS.includes(token)) index++;
    else if (token !== 'compare' && !/^--(?:no-)?(?:json|flagship)(?:=|$)/.test(token) && !isOwn(token))
      flags.push(token);
  }
  return flags;
}

/**
 * All flags of a run: what the setting says itself, and of the shared flags those that it says nothing about.
 * @throws MicrostunError USAGE where the standard settings say all of it themselves, so that a flag would do nothing.
 */
export function runFlagsOf(shared: readonly string[], setting: Setting): string[] {
  const own = new Set(setting.flags.filter((token) => token.startsWith('--')).map(flagNameOf));
  const flags: string[] = [];
  let isOverridden = false;
  for (const token of shared) {
    if (token.startsWith('--')) isOverridden = own.has(flagNameOf(token));
    if (!isOverridden) flags.push(token);
    else if (token.startsWith('--') && isBuiltIn(setting)) {
      throw new MicrostunError(
        'USAGE',
        `--${flagNameOf(token)} is what the settings differ in; leave it out, or compare two settings of your own with --a and --b`,
      );
    }
  }
  return [...flags, ...setting.flags];
}

function isBuiltIn(setting: Setting): boolean {
  return standardSettings.includes(setting) || flagshipSettings.includes(setting);
}

function flagNameOf(token: string): string {
  return token.replace(/^--(?:no-)?/, '').replace(/=.*$/s, '');
}

/** The settings to compare: those of the user, each the flags in one text, those of the flagship, or the standard ones. */
export function settingsOf(
  a: string | undefined,
  b: string | undefined,
  isFlagship = false,
): readonly Setting[] {
  if (isFlagship && (a !== undefined || b !== undefined))
    throw new MicrostunError(
      'USAGE',
      '--flagship has settings of its own; leave out --a and --b, or --flagship',
    );
  if (isFlagship) return flagshipSettings;
  if (a === undefined && b === undefined) return standardSettings;
  if (a === undefined || b === undefined)
    throw new MicrostunError('USAGE', '--a and --b go together: give the flags of both settings');
  return [
    { name: 'a', text: a },
    { name: 'b', text: b },
  ].map(({ name, text }) => {
    const flags = text.split(/\s+/).filter((flag) => flag !== '');
    return { name, summary: flags.length === 0 ? 'the defaults' : '', flags };
  });
}

/**
 * How long a run with these flags may take before it counts as stuck: several times what its own limits allow.
 * @throws MicrostunError USAGE where the flags make no sense together; `name` says of which setting.
 */
export function runMsMax(flags: readonly string[], name: string): number {
  const parser = commonOptions(migrationOptions(guestOptions(yargs([...flags]))))
    .check(refuseRepeatedFlags)
    .strict()
    .version(false)
    .help(false)
    .exitProcess(false)
    .fail((message, error) => {
      const thrown = error as Error | undefined;
      throw new MicrostunError('USAGE', `setting "${name}": ${thrown?.message ?? message}`, {
        cause: thrown,
      });
    });
  const args = parser.parseSync();
  // All that is touched, and a bit for each page of the address space: the raw bitmap.
  const memory = args.memory ?? MEMORY_BYTES;
  const onceThroughBytes = (args.resident ?? memory) + memory / PAGE_BYTES / 8;
  const onceThroughMs = [args.bandwidth, args.faultBandwidth].map((bytesPerSecond) =>
    bytesPerSecond === undefined ? 0 : (onceThroughBytes / bytesPerSecond) * 1000,
  );
  return stuckRunMs(
    [
      args.migrateAfter,
      args.auditAfter,
      args.connectTimeout,
      args.reconnectTimeout,
      ...(args.cut?.cuts ?? []).flatMap(({ atMs, forMs }) => [atMs, forMs]),
    ],
    [args.inDoubtAfter, args.timeLimit, Math.max(...onceThroughMs)],
  );
}
