// Rounds put together from the shares of several receivers, in whatever order these are heard.
import { describe, expect, it } from 'vitest';
import { RoundShares } from '../../src/destination/pages/round-shares.js';
import { ProtocolError } from '../../src/shared/errors.js';

describe('a round', () => {
  it('is placed when every receiver has placed its share', () => {
    const shares = new RoundShares(3);
    expect(shares.placed(2, 0, 10)).toBeUndefined();
    expect(shares.placed(0, 0, 0)).toBeUndefined();
    expect(shares.placed(1, 0, 5)).toEqual({ round: 0, pages: 15 });
  });

  it('has its own pages only, when one receiver is heard of the next round before another of this one', () => {
    const shares = new RoundShares(2);
    expect(shares.placed(0, 0, 100)).toBeUndefined();
    expect(shares.placed(0, 1, 20)).toBeUndefined();
    expect(shares.placed(1, 0, 200)).toEqual({ round: 0, pages: 300 });
    expect(shares.placed(1, 1, 30)).toEqual({ round: 1, pages: 50 });
  });

  it('is refused when a connection runs two rounds ahead of another, so that few are ever open', () => {
    const shares = new RoundShares(2);
    shares.placed(0, 0, 1);
    shares.placed(0, 1, 1);
    expect(() => shares.placed(0, 2, 1)).toThrow(ProtocolError);
  });

  it('is refused when the one before it was left out', () => {
    expect(() => new RoundShares(2).placed(0, 1, 1)).toThrow(ProtocolError);
  });

  it.each([0, 2, 1_000_000])('is refused out of order on its connection (%d after 0)', (round) => {
    const shares = new RoundShares(2);
    shares.placed(0, 0, 1);
    expect(() => shares.placed(0, round, 1)).toThrow(ProtocolError);
  });
});
