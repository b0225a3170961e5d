// A destination with several places that are each used once.
import { afterEach, describe, expect, it } from 'vitest';
import {
  endAll,
  failureOf,
  quick,
  reportOf,
  startCli,
  startDestination,
  type CliProcess,
} from '../support/cli.js';

afterEach(endAll);

/** A source of a guest whose audit recomputes all of its memory. */
function startReplay(to: string, seed: number, memory = '4MiB'): CliProcess {
  return startCli(
    ...['source', '--once', '--json', '--to', to, '--guest', 'replay', '--vcpus', '1'],
    ...['--memory', memory, '--seed', `${seed}`, ...quick],
  );
}

describe('a destination with two places', () => {
  it('with --once ends after two migrations, whatever became of them', async () => {
    const { destination, to } = await startDestination([
      ...['--max-guests', '2', '--once', '--run-for', '0ms', '--max-memory', '8MiB'],
    ]);
    expect(failureOf(await startReplay(to, 1, '12MiB').ended).error.message).toMatch(/--max-memory/);
    expect(reportOf(await startReplay(to, 3).ended).audit?.passed).toBe(true);
    const { status, stdout } = await destination.ended;
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'ran',
      error: { code: 'INSUFFICIENT_MEMORY' },
      guests: [{ outcome: 'refused' }, { outcome: 'ran', error: null }],
    });
    expect(status).toBe(4);
  });
});
