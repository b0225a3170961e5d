// The command line of compare: whose flag is whose, and settings whose values look like flags.
import { describe, expect, it } from 'vitest';
import {
  addFlagshipFlags,
  joinSettingFlags,
  runFlagsOf,
  runMsMax,
  settingsOf,
  sharedFlags,
} from '../../src/cli/compare-flags.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { standardSettings } from '../../src/report/comparison/comparison.js';
import { flagshipSettings } from '../../src/report/comparison/flagship.js';

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(MicrostunError);
    expect((error as MicrostunError).code).toBe('USAGE');
    return (error as MicrostunError).message;
  }
  return 'not refused';
}

describe('a setting on the command line', () => {
  it.each([
    [
      ['compare', '--a', '--mode hybrid', '--b', ''],
      ['compare', '--a=--mode hybrid', '--b='],
    ],
    [
      ['compare', '--a=--mode hybrid'],
      ['compare', '--a=--mode hybrid'],
    ],
    [
      ['compare', '-a', '--mode hybrid'],
      ['compare', '--a=--mode hybrid'],
    ],
    [
      ['compare', '--a', '--delay 2ms --mode hybrid', '--runs', '3'],
      ['compare', '--a=--delay 2ms --mode hybrid', '--runs', '3'],
    ],
    [
      ['compare', '--a'],
      ['compare', '--a'],
    ],
    [
      ['compare', '--a', '--b', 'x'],
      ['compare', '--a', '--b=x'],
    ],
    [
      ['compare', '--a', '--out=x'],
      ['compare', '--a', '--out=x'],
    ],
    [
      ['compare', '-a=--mode hybrid', '-b='],
      ['compare', '--a=--mode hybrid', '--b='],
    ],
    [
      ['demo', '--a', '--mode hybrid'],
      ['demo', '--a', '--mode hybrid'],
    ],
  ])('%j is read as %j', (typed, read) => {
    expect(joinSettingFlags(typed)).toEqual(read);
  });

  it('becomes flags; without one there are the standard settings', () => {
    expect(settingsOf(undefined, undefined)).toBe(standardSettings);
    expect(settingsOf('  --mode   hybrid ', '')).toEqual([
      { name: 'a', summary: '', flags: ['--mode', 'hybrid'] },
      { name: 'b', summary: 'the defaults', flags: [] },
    ]);
  });

  it('is refused without the other', () => {
    expect(refusalOf(() => settingsOf('--mode hybrid', undefined))).toContain('--a and --b go together');
  });
});

describe('the flagship', () => {
  it('is a guest of 24 TiB with 8 vCPUs, three times by each logic, unless the command line says something else', () => {
    const added = ['--memory', '24TiB', '--resident', '1GiB', '--vcpus', '8', '--runs', '3'];
    expect(addFlagshipFlags(['compare', '--flagship'])).toEqual(['compare', '--flagship', ...added]);
    expect(addFlagshipFlags(['compare', '--flagship', '--vcpus=4', '--runs', '1'])).toEqual([
      ...['compare', '--flagship', '--vcpus=4', '--runs', '1'],
      ...['--memory', '24TiB', '--resident', '1GiB'],
    ]);
  });

  it.each([
    [['compare', '--vcpus', '4']],
    [['compare', '--no-flagship']],
    [['compare', '--flagship=false']],
    [['demo', '--flagship']],
  ])('is not what %j asks for', (commandLine) => {
    expect(addFlagshipFlags(commandLine)).toEqual(commandLine);
  });

  it('gives its guest to every run, and itself to none', () => {
    const shared = sharedFlags(addFlagshipFlags(['compare', '--flagship', '--seed', '7']));
    expect(shared).toEqual(['--seed', '7', '--memory', '24TiB', '--resident', '1GiB', '--vcpus', '8']);
    for (const setting of flagshipSettings)
      expect(runMsMax(runFlagsOf(shared, setting), setting.name)).toBeGreaterThan(0);
  });

  it('has settings of its own', () => {
    expect(settingsOf(undefined, undefined, true)).toBe(flagshipSettings);
    expect(refusalOf(() => settingsOf('--mode hybrid', '', true))).toContain('leave out --a and --b');
    expect(refusalOf(() => runFlagsOf(['--bitmap', 'raw'], flagshipSettings[0]!))).toContain('differ in');
    expect(runFlagsOf(['--mode', 'pre-copy'], flagshipSettings[0]!)).toContain('pre-copy');
  });
});

describe('the flags that every run gets', () => {
  it.each([
    [
      ['compare', '--memory', '8MiB'],
      ['--memory', '8MiB'],
    ],
    [
      ['--log-level', 'info', 'compare'],
      ['--log-level', 'info'],
    ],
    [
      ['compare', '--runs', '3', '--vcpus', '4'],
      ['--vcpus', '4'],
    ],
    [['compare', '--runs=3', '--a=--mode hybrid', '--b=', '--guest=zipf'], ['--guest=zipf']],
    [['compare', '--out', 'compare', '--report', 'x.html', '--json', '--no-audit'], ['--no-audit']],
    [
      ['compare', '--json=true', '--no-json', '--write-rate', 'max'],
      ['--write-rate', 'max'],
    ],
    [
      ['compare', '--bandwidth', '1Gbit', '--delay', '2ms'],
      ['--bandwidth', '1Gbit', '--delay', '2ms'],
    ],
  ])('of %j are %j', (typed, flags) => {
    expect(sharedFlags(typed)).toEqual(flags);
  });
});

describe('all flags of a run', () => {
  const own = { name: 'a', summary: '', flags: ['--mode', 'pre-copy', '--no-audit'] };

  it('are the shared ones and its own, which come first where both say something', () => {
    expect(runFlagsOf(['--memory', '8MiB', '--mode', 'hybrid', '--audit', '--vcpus=4'], own)).toEqual([
      ...['--memory', '8MiB', '--vcpus=4'],
      ...own.flags,
    ]);
    expect(runMsMax(runFlagsOf(['--mode=hybrid'], own), 'a')).toBeGreaterThan(0);
  });

  it('are refused with a sentence where a shared one would do nothing', () => {
    for (const shared of [['--mode', 'hybrid'], ['--trace=dedicated'], ['--bitmap', 'raw']])
      expect(refusalOf(() => runFlagsOf(shared, standardSettings[0]!))).toMatch(
        /^--(mode|trace|bitmap) is what the settings differ in.*--a and --b$/,
      );
    expect(runFlagsOf(['--vcpus', '4'], standardSettings[0]!).slice(0, 2)).toEqual(['--vcpus', '4']);
  });
});

describe('the flags of a setting', () => {
  it.each([
    [['--mode', 'teleport'], 'teleport'],
    [['--memory', 'lots'], 'lots'],
    [['--frobnicate', '3'], 'frobnicate'],
    [['--mode', 'hybrid', '--mode', 'pre-copy'], 'given 2 times'],
    [['--stun-budget'], 'stun-budget'],
    [['stray'], 'stray'],
  ])('are refused before anything runs: %j', (flags, word) => {
    const refusal = refusalOf(() => runMsMax(flags, 'a'));
    expect(refusal).toContain('setting "a"');
    expect(refusal).toContain(word);
  });

  it('say how long a run may take, with room', () => {
    const plain = runMsMax([], 'a');
    expect(plain).toBeGreaterThan(10 * 60_000);
    expect(runMsMax(['--migrate-after', '1h'], 'a')).toBeGreaterThan(plain + 59 * 60_000);
    expect(runMsMax(['--bandwidth', '1Mbit'], 'a')).toBeGreaterThan(plain + 2 * 2_000_000);
    expect(runMsMax(['--time-limit', '8000h'], 'a')).toBeGreaterThan(8000 * 3_600_000);
  });
});
