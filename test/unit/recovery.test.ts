// When a guest has recovered from its move, on given samples.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESUME_SAMPLES, resumeRowsOf, sampleStride } from '../../src/shared/guest/samples.js';
import { recoveryOf, type RecoveryFacts } from '../../src/source/measurement/recovery.js';

/** Stopped at 100 ms, resumed 1 ms later; the destination's clock is ten seconds ahead. */
const AHEAD_US = 10_000_000;
const STOP_US = 100_000;
const RESUME_US = AHEAD_US + 101_000;

/** One vCPU that wrote 10 pages a millisecond before; `pages` are those of each millisecond after the resume. */
const facts = (pages: readonly number[], by: Partial<RecoveryFacts> = {}): RecoveryFacts => {
  let written = 0;
  const rows = pages.map((more, ms) => [RESUME_US + 1000 * (ms + 1), (written += more), 0]);
  return {
    beforePagesPerSecond: 10_000,
    vcpus: 1,
    stopAtUs: STOP_US,
    firstSliceAtUs: [RESUME_US],
    aheadUs: AHEAD_US,
    samples: Float64Array.from(rows.flat()),
    ...by,
  };
};

describe('the recovery of a guest', () => {
  it('counts from the stop to the end of the first 10 ms at its pace before', () => {
    expect(recoveryOf(facts(Array<number>(50).fill(10)))).toEqual({
      verdict: 'recovered',
      recoveryMs: 11,
      windowMs: 10,
      watchedMs: 51,
    });
  });

  it('is over once nine tenths of that are reached, wherever the 10 ms begin', () => {
    const slow = Array<number>(23).fill(3);
    // Nine of 10 and one of 3 are the first ten with 90 pages.
    const after = Array<number>(30).fill(10);
    expect(recoveryOf(facts([...slow, ...after])).recoveryMs).toBe(1 + 23 + 9);
    expect(recoveryOf(facts(Array<number>(40).fill(9))).recoveryMs).toBe(11);
    expect(recoveryOf(facts(Array<number>(40).fill(8.99))).verdict).toBe('not recovered');
  });

  it('is not reached by a burst that is shorter than 10 ms', () => {
    const burst = [10, 10, 10, 10, 10, 10, 10, 10, 0, 0];
    expect(recoveryOf(facts([...burst, ...burst, ...burst])).verdict).toBe('not recovered');
  });

  it('does not average the stun away: what was written before the resume counts for nothing', () => {
    // The destination catches up: 200 pages in the first millisecond make up for nine in which it stood.
    expect(recoveryOf(facts([200, ...Array<number>(30).fill(0)])).recoveryMs).toBe(11);
    expect(recoveryOf(facts([200])).verdict).toBe('not recovered');
  });

  it('says how long was watched where it did not come to that', () => {
    expect(recoveryOf(facts(Array<number>(20).fill(5)))).toEqual({
      verdict: 'not recovered',
      recoveryMs: null,
      windowMs: 10,
      watchedMs: 21,
    });
  });

  it('is none of a guest that wrote nothing before, and not known where nothing was sampled', () => {
    const idle = recoveryOf(facts(Array<number>(20).fill(0), { beforePagesPerSecond: 0 }));
    expect(idle).toMatchObject({ verdict: 'nothing to recover', recoveryMs: null });
    expect(recoveryOf(facts([]))).toMatchObject({ verdict: 'not sampled', watchedMs: null });
    expect(recoveryOf(facts([10], { beforePagesPerSecond: null })).verdict).toBe('not sampled');
  });

  it('watches a guest of few writes for as long as ten of each vCPU took', () => {
    // One page every 20 ms.
    const rare = Array.from({ length: 900 }, (_, ms) => (ms % 20 === 19 ? 1 : 0));
    const recovery = recoveryOf(facts(rare, { beforePagesPerSecond: 50 }));
    expect(recovery).toMatchObject({ verdict: 'recovered', windowMs: 200 });
    expect(recovery.recoveryMs).toBe(201);
  });

  it('takes samples that are further apart as they are: the stretch is longer then, never shorter than 10 ms', () => {
    const rows = [7, 14, 21, 28].map((ms) => [RESUME_US + 1000 * ms, 10 * ms, 0]);
    const samples = Float64Array.from(rows.flat());
    expect(recoveryOf(facts([], { samples })).recoveryMs).toBe(1 + 14);
  });

  it('adds up the vCPUs, from the first slice of the first of them', () => {
    const rows = Array.from({ length: 20 }, (_, ms) => [
      RESUME_US + 1000 * (ms + 1),
      5 * ms + 5,
      0,
      5 * ms + 5,
      0,
    ]);
    const by = {
      vcpus: 2,
      firstSliceAtUs: [RESUME_US + 400, RESUME_US],
      samples: Float64Array.from(rows.flat()),
    };
    expect(recoveryOf(facts([], by)).recoveryMs).toBe(11);
  });

  it('is never before 10 ms after the resume, nor after the last sample, whatever was sampled', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 80 }), (pages) => {
        const { verdict, recoveryMs, watchedMs } = recoveryOf(facts(pages));
        expect(recoveryMs !== null).toBe(verdict === 'recovered');
        if (recoveryMs === null) return;
        expect(recoveryMs).toBeGreaterThanOrEqual(11);
        expect(recoveryMs).toBeLessThanOrEqual(watchedMs!);
      }),
    );
  });
});

describe('the samples just after a resume', () => {
  it('leave half of any place to those that follow', () => {
    for (const vcpus of [1, 2, 64]) {
      const rows = Math.floor(32_768 / sampleStride(vcpus));
      expect(resumeRowsOf(vcpus, 32_768)).toBeLessThanOrEqual(Math.min(RESUME_SAMPLES, rows / 2));
    }
    expect(resumeRowsOf(2, 32_768)).toBe(RESUME_SAMPLES);
  });
});
