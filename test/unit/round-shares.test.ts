// Rounds put together from the shares of several receivers, in whatever order these are heard.
import { describe, expect, it } from 'vitest';
import { RoundShares } from '../../src/destination/round-shares.js';

describe('a round', () => {
  it('is placed when every receiver has placed its share', () => {
    const shares = new RoundShares(3);
    expect(shares.placed(0, 10)).toBeUndefined();
    expect(shares.placed(0, 0)).toBeUndefined();
    expect(shares.placed(0, 5)).toEqual({ round: 0, pages: 15 });
  });

  it('has its own pages only, when one receiver is heard of the next round before another of this one', () => {
    const shares = new RoundShares(2);
    expect(shares.placed(1, 100)).toBeUndefined();
    expect(shares.placed(2, 20)).toBeUndefined();
    expect(shares.placed(1, 200)).toEqual({ round: 1, pages: 300 });
    expect(shares.placed(2, 30)).toEqual({ round: 2, pages: 50 });
  });
});
