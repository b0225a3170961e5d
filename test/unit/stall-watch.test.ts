// When page connections count as standing still, on links of any speed.
import { describe, expect, it } from 'vitest';
import { StallWatch } from '../../src/destination/pages/stall-watch.js';
import { STALL_MS_MAX } from '../../src/shared/limits.js';

const STEP_MS = STALL_MS_MAX / 8;

describe('page connections', () => {
  it('do not stand still while any byte comes, however slowly', () => {
    const watch = new StallWatch();
    for (let step = 0; step < 1000; step++)
      expect(watch.isStalled(step * STEP_MS, Math.floor(step / 7), true)).toBe(false);
  });

  it('are idle, and not dead, while nothing has to come on them', () => {
    const watch = new StallWatch();
    for (let step = 0; step < 1000; step++) expect(watch.isStalled(step * STEP_MS, 5, false)).toBe(false);
    // The time that counts begins when something is expected.
    expect(watch.isStalled(1001 * STEP_MS, 5, true)).toBe(false);
  });

  it('stand still when something has to come and no byte does, and are given as long again', () => {
    const watch = new StallWatch();
    const stalls = Array.from({ length: 30 }, (_, step) => watch.isStalled(step * STEP_MS, 5, true));
    expect(stalls.flatMap((isStalled, step) => (isStalled ? [step] : []))).toEqual([9, 18, 27]);
  });
});
