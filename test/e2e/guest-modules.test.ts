// Guests that people bring, between real processes: allowed by their code, refused by it, called what they are called.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { endAll, quick, reportOf, root, runCli, startDestination } from '../support/cli.js';

const COUNTER = path.join(root, 'test/support/guests/counter.mjs');
const folder = mkdtempSync(path.join(tmpdir(), 'guest-modules-'));

afterEach(endAll);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('a guest that people bring', () => {
  it('is moved by its own code, as large as it says, and what it says is no part of the report', async () => {
    const ended = await runCli('demo', '--json', '--guest', COUNTER, ...quick);
    expect(reportOf(ended)).toMatchObject({
      outcome: 'completed',
      guest: { program: 'counter', memoryBytes: 8 << 20, vcpus: 1 },
      audit: { passed: true, checked: 1 },
    });
    expect(ended.stderr).toContain('hello, I count');
    expect(ended.stderr).not.toContain('cannot go on');
  });

  it('is taken by a destination that has the same code under another path, pinned or not, and by no other', async () => {
    const copy = path.join(folder, 'counter.mjs');
    copyFileSync(COUNTER, copy);
    const { status, stdout } = await runCli('guest-hash', COUNTER);
    expect(status).toBe(0);
    const hash = stdout.trim();
    const { destination, to } = await startDestination([
      '--allow-guest',
      `${copy}@${hash}`,
      '--run-for',
      '0ms',
    ]);
    const source = ['source', '--once', '--json', '--to', to, ...quick];
    const refused = await runCli(...source, '--guest', 'uniform', '--memory', '4MiB');
    expect(refused.status).toBe(4);
    expect(refused.stdout).toContain(`${hash.slice(0, 12)}…`);
    expect((await runCli(...source, '--guest', COUNTER)).status).toBe(0);
    await destination.said(/guest "counter" is whole and runs here/);
  });

  it('is refused at the start, by its file, when it cannot be loaded or is not what it is pinned to', async () => {
    const broken = path.join(folder, 'broken.mjs');
    writeFileSync(broken, 'export default { runSlice( };');
    for (const command of [
      ['demo', '--json', '--guest', broken],
      ['destination', '--json', '--listen', '127.0.0.1:0', '--allow-guest', broken],
    ]) {
      const { status, stdout } = await runCli(...command);
      expect(status).toBe(5);
      expect(JSON.parse(stdout)).toMatchObject({
        error: { code: 'GUEST_FAILED', message: expect.stringContaining(broken) as string },
      });
    }
    const pinned = await runCli('destination', '--allow-guest', `${COUNTER}@000000000000`);
    expect(pinned.status).toBe(2);
    expect(pinned.stderr).toMatch(/the code of .*counter\.mjs is [\da-f]{64}/);
  });
});
