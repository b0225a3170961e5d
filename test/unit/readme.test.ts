// The README against the command line: every flag is in its tables, with the default that --help says.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import yargs, { type Argv } from 'yargs';
import { commonOptions, guestOptions, migrationOptions, patienceOptions } from '../../src/cli/options.js';

const root = path.resolve(import.meta.dirname, '../..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');

/** The first two cells of the row of a flag, in whichever table it is. */
function rowsOf(flag: string): string[] {
  return readme
    .split('\n')
    .filter(
      (line) =>
        line.startsWith('|') &&
        line
          .split('|')[1]!
          .split(/[`,\s]+/)
          .includes(`--${flag}`),
    )
    .map((line) => line.split('|')[2]!.trim());
}

/** What --help says: a line a flag, with its default where it has one. */
async function helpOf(
  add: (parser: Argv) => unknown,
): Promise<{ flag: string; standard: string | undefined }[]> {
  const parser = yargs([]).wrap(null).version(false).help(false);
  add(parser);
  const help = await parser.getHelp();
  return help.split('\n').flatMap((line) => {
    const flag = /^ +--(\S+)/.exec(line)?.[1];
    if (flag === undefined) return [];
    return [{ flag, standard: /[[(]default: "?([^"\])]*)"?[\])]/.exec(line)?.[1] }];
  });
}

describe('the flags in the README', () => {
  it.each([
    ['all commands', commonOptions],
    ['guests', guestOptions],
    ['migrations', migrationOptions],
    ['a guest that is kept', patienceOptions],
  ])('are all those of %s, with their defaults', async (_, add) => {
    const flags = await helpOf((parser) => add(parser));
    expect(flags.length).toBeGreaterThan(1);
    for (const { flag, standard } of flags) {
      const rows = rowsOf(flag);
      expect(rows.length, `--${flag} has a row`).toBeGreaterThan(0);
      if (standard === undefined || standard === 'as fast as it goes') continue;
      const shown = standard === 'false' ? 'off' : standard === 'true' ? 'on' : `\`${standard}\``;
      expect(rows, `the default of --${flag}`).toContain(shown);
    }
  });

  it.each(['commands.ts', 'report-options.ts', 'compare-flags.ts'])('are all those of %s, too', (file) => {
    const text = readFileSync(path.join(root, 'src/cli', file), 'utf8');
    for (const [, flag] of text.matchAll(/\.option\('([^']+)'/g))
      expect(rowsOf(flag!).length, `--${flag!} has a row`).toBeGreaterThan(0);
  });

  it('are in tables whose rows have as many cells as their heads', () => {
    const tables = readme
      .split(/\n(?!\|)/)
      .filter((block) => block.startsWith('\n|') || block.startsWith('|'));
    expect(tables.length).toBeGreaterThan(5);
    for (const table of tables) {
      const widths = table
        .trim()
        .split('\n')
        .map((row) => row.replaceAll('\\|', '').split('|').length);
      expect(new Set(widths).size, table.slice(0, 200)).toBe(1);
    }
  });
});
