// The history behind the live view: what a page has after all patches is what the history holds, however it was thinned.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { patchSince, type LiveCursor } from '../../src/html/live/feed.js';
import type { LivePatch } from '../../src/html/live/patch.js';
import {
  LiveHistory,
  ROUNDS_SHOWN,
  ROWS_MAX,
  STRETCHES_MAX,
  UNSETTLED_POINTS,
  type LiveProgress,
  type RoundBar,
  type WatchedMigration,
} from '../../src/html/live/history.js';
import type { GuestSample } from '../../src/shared/guest/samples.js';

const STEP_US = 100_000;

const progress: LiveProgress = {
  phase: 'copying',
  round: 0,
  roundPages: 1000,
  roundPagesSent: 250,
  sentBytes: 0,
  dirtyPages: 1000,
  forecastStunMs: null,
};

function migrating(
  snapshot: Partial<LiveProgress>,
  phases: WatchedMigration['phases'] = [],
  rounds: readonly RoundBar[] = [],
): WatchedMigration {
  return { snapshot: { ...progress, ...snapshot }, phases, rounds, takeDestinationSamples: () => [] };
}

/** A migration that has been handed over, and what is told of the guest there. */
function away(samples: readonly GuestSample[]): WatchedMigration {
  return { ...migrating({ phase: 'pushing' }), takeDestinationSamples: () => samples };
}

/** A history of a guest that writes 500 pages a sample, or as many as said. */
function ran(samples: number, stallOf: (at: number) => number = () => 10, pagesEach = 500): LiveHistory {
  const history = new LiveHistory(0);
  for (let at = 0; at < samples; at++)
    history.note({ atUs: at * STEP_US, pages: at * pagesEach, longestStallUs: stallOf(at) }, true, undefined);
  return history;
}

describe('the points of a live history', () => {
  it('are what lies between two samples, at the later one', () => {
    const history = new LiveHistory(1000);
    const note = (atUs: number, pages: number, longestStallUs: number, sentBytes: number): void => {
      history.note({ atUs, pages, longestStallUs }, true, migrating({ sentBytes }));
    };
    note(1000, 0, 0, 0);
    note(101_000, 5000, 40.25, 1_000_000);
    note(301_000, 7000, 20, 1_000_000);
    expect(history.pointsFrom(0)).toEqual([
      {
        atMs: 100,
        pagesPerSecond: 50_000,
        longestStallUs: 40.3,
        remotePagesPerSecond: null,
        remoteStallUs: null,
        bytesPerSecond: 10_000_000,
      },
      {
        atMs: 300,
        pagesPerSecond: 10_000,
        longestStallUs: 20,
        remotePagesPerSecond: null,
        remoteStallUs: null,
        bytesPerSecond: 0,
      },
    ]);
    expect(history.longestStallUs).toBe(40.25);
  });

  it('say nothing of a guest that runs elsewhere, also when its migration has ended', () => {
    const history = new LiveHistory(0);
    for (const [at, phase] of ['copying', 'handing-over', 'pushing', 'ended'].entries())
      history.note({ atUs: at * STEP_US, pages: at, longestStallUs: 1 }, true, migrating({ phase }));
    expect(history.pointsFrom(0).map(({ pagesPerSecond }) => pagesPerSecond)).toEqual([10, null, null]);
  });

  it('have what is told of the guest at the destination in its place, when it comes', () => {
    const history = new LiveHistory(0);
    const here = (at: number): GuestSample => ({ atUs: at * STEP_US, pages: 7, longestStallUs: 0 });
    for (let at = 0; at < 6; at++) history.note(here(at), true, away([]));
    expect(history.pointsFrom(0).every((point) => point.remotePagesPerSecond === null)).toBe(true);
    // Every 50 ms from 150 to 400 ms, 25 pages each: 500 a second.
    const told = Array.from({ length: 6 }, (_, at) => ({
      atUs: 150_000 + 50_000 * at,
      pages: 25 * at,
      longestStallUs: at === 2 ? 900 : 1,
    }));
    history.note(here(6), true, away(told));
    const points = history.pointsFrom(0);
    expect(points.map((point) => point.remotePagesPerSecond)).toEqual([null, null, 500, 500, null, null]);
    expect(points.map((point) => point.remoteStallUs)).toEqual([null, 1, 900, 1, null, null]);
    expect(points.map((point) => point.pagesPerSecond)).toEqual(Array(6).fill(null));
    expect(history.longestStallUs).toBe(900);
  });

  it('are bounded for a run of any length, and thinning loses neither a page nor the longest stall', () => {
    const samples = 5 * ROWS_MAX + 7;
    const history = ran(samples, (at) => (at === 4321 ? 9999 : 10));
    const points = history.pointsFrom(0);
    expect(points.length).toBeLessThan(ROWS_MAX);
    expect(Math.max(...points.map(({ longestStallUs }) => longestStallUs!))).toBe(9999);
    expect(new Set(points.map(({ pagesPerSecond }) => pagesPerSecond))).toEqual(new Set([5000]));
    expect(points.at(-1)!.atMs).toBe(((samples - 1) * STEP_US) / 1000);
  });
});

/** What a page has after a patch, as browser/live-page.ts does it. */
function apply(page: Map<string, { x: number[]; values: (number | null)[][] }>, patch: LivePatch): void {
  for (const { id, from, x, values } of patch.charts) {
    const before = page.get(id) ?? { x: [], values: values.map(() => []) };
    page.set(id, {
      x: [...before.x.slice(0, from), ...x],
      values: values.map((more, series) => [...before.values[series]!.slice(0, from), ...more]),
    });
  }
}

describe('a page of the live view', () => {
  it('that looks now and then has all that was told of the destination, however late', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: UNSETTLED_POINTS - 2 }),
        (pauses, late) => {
          const history = new LiveHistory(0);
          const page: Parameters<typeof apply>[0] = new Map();
          let cursor: LiveCursor | undefined;
          let at = 0;
          for (const pause of pauses) {
            for (const until = at + pause; at < until; at++) {
              const told = { atUs: (at - late) * STEP_US, pages: at ** 2, longestStallUs: at % 17 };
              const sample = { atUs: at * STEP_US, pages: 0, longestStallUs: 0 };
              history.note(sample, true, away(at < late ? [] : [told]));
            }
            const { patch, next } = patchSince(cursor, history, 10, undefined);
            cursor = next;
            apply(page, patch);
          }
          const whole: Parameters<typeof apply>[0] = new Map();
          apply(whole, patchSince(undefined, history, 10, undefined).patch);
          expect(page).toEqual(whole);
          const rates = history.pointsFrom(1).map((point) => point.remotePagesPerSecond);
          expect(rates.slice(0, Math.max(0, at - late - 3))).not.toContain(null);
        },
      ),
    );
  });

  it('that looks now and then has what a page has that looks only at the end', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 8 }), (pauses) => {
        const history = new LiveHistory(0);
        const page: Parameters<typeof apply>[0] = new Map();
        let cursor: LiveCursor | undefined;
        let at = 0;
        for (const pause of pauses) {
          for (const until = at + pause; at < until; at++)
            history.note({ atUs: at * STEP_US, pages: at ** 2, longestStallUs: at % 17 }, true, undefined);
          const { patch, next } = patchSince(cursor, history, 10, undefined);
          cursor = next;
          apply(page, patch);
        }
        const late: Parameters<typeof apply>[0] = new Map();
        apply(late, patchSince(undefined, history, 10, undefined).patch);
        expect(page).toEqual(late);
        expect(page.get('throughput')!.x).toHaveLength(history.pointCount);
      }),
    );
  });

  it('is told only what is new', () => {
    const history = ran(10);
    const { next } = patchSince(undefined, history, 10, undefined);
    history.note({ atUs: 10 * STEP_US, pages: 5000, longestStallUs: 1 }, true, undefined);
    const { patch } = patchSince(next, history, 10, undefined);
    expect(patch.charts.find(({ id }) => id === 'throughput')).toMatchObject({ from: 9, x: [1000] });
  });

  it('learns where the run stands, and how it ended', () => {
    const history = new LiveHistory(0);
    const stateOf = () => patchSince(undefined, history, 10, undefined).patch.state;
    const note = (isRunning: boolean, migration?: WatchedMigration): void => {
      history.note({ atUs: 0, pages: 0, longestStallUs: 0 }, isRunning, migration);
    };
    note(false);
    expect(stateOf()).toBe('booting');
    note(true);
    expect(stateOf()).toBe('running');
    note(true, migrating({}));
    expect(stateOf()).toBe('migrating');
    const { patch } = patchSince(undefined, history, 10, { state: 'failed', parts: { head: '<p>why</p>' } });
    expect(patch).toMatchObject({ state: 'failed', parts: { head: '<p>why</p>' } });
  });

  it('reads figures as the terminal has them', () => {
    const history = ran(3);
    const phases = [{ name: 'copying', fromUs: 200_000 }];
    const snapshot = { round: 2, sentBytes: 3 * 1024 ** 2, forecastStunMs: 6.83 };
    history.note({ atUs: 300_000, pages: 11_000, longestStallUs: 1234 }, true, migrating(snapshot, phases));
    expect(patchSince(undefined, history, 10, undefined).patch.texts).toMatchObject({
      headline: 'Round 2: 1,000 dirty pages',
      phase: 'copying',
      elapsed: 'migrating for 0.1 s',
      throughput: '100,000',
      stall: '1.23 ms',
      left: '750',
      leftRemark: 'of 1,000 in round 2',
      bytes: '3.00 MiB',
      bandwidth: '30.0 MiB/s now',
      forecast: '6.83 ms',
    });
  });
});

describe('the rounds of a live history', () => {
  const done = (round: number): RoundBar => ({ round, dirtyPages: 1000, sentPages: 900 });

  it('have the one that is under way at their end', () => {
    const history = new LiveHistory(0);
    history.note({ atUs: 0, pages: 0, longestStallUs: 0 }, true, migrating({ round: 1 }, [], [done(0)]));
    expect(history.rounds).toEqual([done(0), { round: 1, dirtyPages: 1000, sentPages: 250 }]);
    history.note(
      { atUs: 1, pages: 0, longestStallUs: 0 },
      true,
      migrating({ round: 1 }, [], [done(0), done(1)]),
    );
    expect(history.rounds).toEqual([done(0), done(1)]);
  });

  it('are the last ones of many', () => {
    const rounds = Array.from({ length: 3 * ROUNDS_SHOWN }, (_, round) => done(round));
    const history = new LiveHistory(0);
    const snapshot = { phase: 'harvesting', round: rounds.length };
    history.note({ atUs: 0, pages: 0, longestStallUs: 0 }, true, migrating(snapshot, [], rounds));
    expect(history.rounds).toEqual(rounds.slice(-ROUNDS_SHOWN));
  });
});

describe('the phases of a live history', () => {
  it('follow each other without a gap but for the time before the migration', () => {
    const history = new LiveHistory(0);
    const phases = [
      { name: 'connecting', fromUs: 400_000 },
      { name: 'copying', fromUs: 500_000 },
      { name: 'stopping', fromUs: 800_000 },
    ];
    history.note({ atUs: 0, pages: 0, longestStallUs: 0 }, false, undefined);
    history.note({ atUs: 100_000, pages: 0, longestStallUs: 0 }, true, undefined);
    history.note({ atUs: 900_000, pages: 0, longestStallUs: 0 }, true, migrating({}, phases));
    expect(history.bands).toEqual([
      { label: 'booting', from: 0, to: 100, tone: 'setup' },
      { label: 'connecting', from: 400, to: 500, tone: 'setup' },
      { label: 'copying', from: 500, to: 800, tone: 'copy' },
      { label: 'stopping', from: 800, to: 900, tone: 'stun' },
    ]);
  });

  it('are bounded: rounds that are too many join, the stun stays', () => {
    const history = new LiveHistory(0);
    const phases: { name: string; fromUs: number }[] = [];
    for (let round = 0; round < 5000; round++) {
      phases.push(
        { name: 'copying', fromUs: 2000 * round },
        { name: 'harvesting', fromUs: 2000 * round + 1000 },
      );
      if (round % 10 === 0)
        history.note({ atUs: 2000 * round + 1500, pages: 0, longestStallUs: 0 }, true, migrating({}, phases));
    }
    phases.push({ name: 'stopping', fromUs: 10_000_000 });
    history.note({ atUs: 10_001_000, pages: 0, longestStallUs: 0 }, true, migrating({}, phases));
    const { bands } = history;
    expect(bands.length).toBeLessThanOrEqual(STRETCHES_MAX);
    expect(bands.at(-1)).toEqual({ label: 'stopping', from: 10_000, to: 10_001, tone: 'stun' });
    // What was merged still covers all of it.
    const copies = bands.filter(({ tone }) => tone !== 'setup');
    copies.slice(1).forEach(({ from }, at) => {
      expect(from).toBe(copies[at]!.to);
    });
  });
});
