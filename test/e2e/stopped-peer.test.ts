// A side that stands still in the push, as a host does that is suspended or swaps: SIGSTOP, longer than every silence
// that a connection allows. Knows processes only.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, ODD_PAGES, reportOf, startDestination, startSource } from '../support/cli.js';
import { SILENCE_MS_MAX } from '../../src/shared/limits.js';

afterEach(endAll);

/** Longer than a peer may be silent, and than lost connections may stay lost. */
const STOPPED_MS = 12_000;
/** Some seconds of push, none of it asked for by faults that would hurry it. */
const slowPush = ['--mode', 'post-copy', '--bandwidth', '20Mbit', '--write-rate', '50'];

describe('a guest whose pages follow', () => {
  it.each(['destination', 'source'] as const)(
    'has all of them although its %s stood still for longer than any connection may be silent',
    async (side) => {
      expect(STOPPED_MS).toBeGreaterThan(2 * SILENCE_MS_MAX);
      const { destination, to } = await startDestination(['--run-for', '0ms']);
      const source = startSource(to, ...slowPush);
      await source.said(/pushing/);
      const stopped = side === 'source' ? source : destination;
      stopped.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
      stopped.kill('SIGCONT');
      const report = reportOf(await source.ended);
      expect(report.audit).toMatchObject({ passed: true, checked: ODD_PAGES });
      expect(report.postcopy!.pushedPages + report.postcopy!.fetchedPages).toBe(ODD_PAGES);
      expect((await destination.ended).status).toBe(0);
    },
  );
});
