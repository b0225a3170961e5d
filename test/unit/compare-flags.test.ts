// The command line of compare: whose flag is whose, and settings whose values look like flags.
import { describe, expect, it } from 'vitest';
import {
  joinSettingFlags,
  runFlagsOf,
  runMsMax,
  settingsOf,
  sharedFlags,
} from '../../src/cli/compare-flags.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { standardSettings } from '../../src/report/comparison/comparison.js';

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
        /^--(mode|trace|bitmap) is what the standard settings differ in.*--a and --b$/,
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
