import { describe, expect, it } from 'vitest';
import { timesOf } from '../../src/source/measurement/phase-times.js';

const phase = (name: string, fromMs: number): { name: string; fromUs: number } => ({
  name,
  fromUs: 1000 * fromMs,
});

const rounds = [
  phase('connecting', 10),
  phase('preparing', 20),
  phase('measuring-clock', 600),
  phase('installing-traces', 610),
  phase('copying', 612),
  phase('harvesting', 900),
  phase('copying', 905),
  phase('harvesting', 950),
  phase('stopping', 951),
  phase('handing-over', 953),
];

describe("a migration's time", () => {
  it('is split into preparation, copying and switch-over, which add up to it, and the push after it', () => {
    const phases = [...rounds, phase('pushing', 960), phase('awaiting-audit', 1200), phase('ended', 1300)];
    const times = timesOf(phases, 0, 960_000);
    expect(times).toEqual({ preparationMs: 610, copyingMs: 341, switchOverMs: 9, pushMs: 240 });
    expect(times.preparationMs + times.copyingMs + times.switchOverMs).toBe(960);
  });

  it('has no push where no pages followed', () => {
    expect(timesOf([...rounds, phase('awaiting-audit', 960), phase('ended', 990)], 0, 960_000).pushMs).toBe(
      null,
    );
  });

  it('has no copying before a post-copy', () => {
    const phases = [
      phase('connecting', 0),
      phase('preparing', 5),
      phase('measuring-clock', 90),
      phase('stopping', 100),
      phase('handing-over', 101),
      phase('pushing', 104),
      phase('ended', 900),
    ];
    expect(timesOf(phases, 0, 104_000)).toEqual({
      preparationMs: 100,
      copyingMs: 0,
      switchOverMs: 4,
      pushMs: 796,
    });
  });
});
