// Under Node's permission model: what a guest that people bring needs is said before it is tried, with the flag that gives it.
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CliProcess, endAll, root, type Ended } from '../support/cli.js';

const COUNTER = path.join(root, 'test/support/guests/counter.mjs');
const MODEL = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

function runUnder(nodeFlags: readonly string[], ...command: readonly string[]): Promise<Ended> {
  const entry = path.join(root, 'dist/cli/main.js');
  return new CliProcess(process.execPath, [MODEL, '--allow-worker', ...nodeFlags, entry, ...command], false)
    .ended;
}

afterEach(endAll);

describe("a process that runs under Node's permission model", () => {
  it.each([
    ['source', '--to', '127.0.0.1:9', '--guest', COUNTER],
    ['destination', '--listen', '127.0.0.1:0', '--allow-guest', COUNTER],
    ['demo'],
  ])('and may start no other says which flag it lacks: %s', async (...command) => {
    const { status, stderr } = await runUnder(['--allow-fs-read=*'], ...command);
    expect(stderr).toMatch(/^microstun: .* has a process of its own, .* add --allow-child-process/m);
    expect(status).toBe(2);
  });

  it('and may not read the file of a guest says so, and by which flag it may', async () => {
    const { status, stderr } = await runUnder(
      [`--allow-fs-read=${root}`, '--allow-child-process'],
      ...['destination', '--listen', '127.0.0.1:0', '--allow-guest', '/srv/guest.js'],
    );
    expect(stderr).toMatch(
      /^microstun: this process may not read \/srv\/guest.js: .* --allow-fs-read=\/srv\/guest.js /m,
    );
    expect(status).toBe(2);
  });
});
