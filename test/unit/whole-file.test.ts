import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWhole } from '../../src/cli/whole-file.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'microstun-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('a file', () => {
  it('is written whole, in place of what it held, and nothing is left beside it', async () => {
    const file = path.join(folder, 'report.html');
    await writeWhole(file, 'first', 'the report');
    await writeWhole(file, 'second', 'the report');
    expect(readFileSync(file, 'utf8')).toBe('second');
    expect(readdirSync(folder)).toEqual(['report.html']);
  });

  it('that a link leads to is written where it is', async () => {
    const file = path.join(folder, 'real.json');
    writeFileSync(file, 'old');
    symlinkSync(file, path.join(folder, 'link.json'));
    await writeWhole(path.join(folder, 'link.json'), 'new', 'the report');
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it.each([
    ['no folder', 'no/such/report.html'],
    ['a folder of its name', 'taken'],
  ])('that cannot be written for %s is an output that failed, and leaves nothing', async (_why, name) => {
    mkdirSync(path.join(folder, 'taken'));
    const file = path.join(folder, name);
    await expect(writeWhole(file, 'text', 'the report')).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining(`the report could not be written to ${file}`) as unknown,
    });
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it.runIf(existsSync('/dev/full'))(
    'on a full disk is an output that failed; a device stays one',
    async () => {
      await expect(writeWhole('/dev/full', 'text', 'the report')).rejects.toMatchObject({
        code: 'OUTPUT_FAILED',
      });
      expect(existsSync('/dev/full')).toBe(true);
      await writeWhole('/dev/null', 'text', 'the report');
    },
  );
});
