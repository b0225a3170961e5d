// A destination with several places: its guests come, run and end, each without the others.
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeReport } from '../../src/cli/destination-report.js';
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
  it('has two guests at once, sends a third away, and tells of all in one document', async () => {
    const { destination, to } = await startDestination(['--max-guests', '2']);
    const ends = await Promise.all([startReplay(to, 1).ended, startReplay(to, 2).ended]);
    for (const end of ends) expect(reportOf(end).audit?.passed).toBe(true);
    const { error } = failureOf(await startReplay(to, 3).ended);
    expect(error.message).toMatch(/has 2 guests already.*raise its --max-guests/);
    destination.kill('SIGTERM');
    const { status, stdout } = await destination.ended;
    const { outcome, guestCount, guests } = JSON.parse(stdout) as NodeReport;
    expect({ outcome, guestCount, status }).toEqual({ outcome: 'ran', guestCount: 2, status: 0 });
    for (const { guest } of guests) expect(guest?.pagesWritten).toBeGreaterThan(0);
  });

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
