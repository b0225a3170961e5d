// A lock that is held, the queue for it, and a condition that is waited for, moved between real processes.
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { endAll, root, runCli, startDestination } from '../support/cli.js';

const BATON = path.join(root, 'test/support/guests/baton.mjs');

afterEach(endAll);

it.each(['hybrid', 'post-copy'])(
  'a lock stays held through a move by %s, who waits for it or for a condition waits on, and both get what they wait for',
  async (mode) => {
    const { destination, to } = await startDestination(['--allow-guest', BATON]);
    // Long enough for three vCPUs to halt and wait, also on a busy machine.
    const paces = ['--migrate-after', '1s', '--audit-after', '100ms'];
    const source = await runCli(
      'source',
      '--once',
      '--json',
      '--to',
      to,
      '--guest',
      BATON,
      '--mode',
      mode,
      ...paces,
    );
    expect(source.status, source.stderr).toBe(0);
    await destination.said(/moved with the lock of vCPU 0, in its queue: true, waiting: true/);
    await destination.said(/both came/);
  },
);
