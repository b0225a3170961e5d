import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pacer, piecesOf } from '../../src/source/pages/pacer.js';

describe('pieces', () => {
  it('are the parts in order, none larger than allowed and nothing copied', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.integer({ min: 1, max: 20 }),
        (parts, max) => {
          const pieces = piecesOf(parts, max);
          expect(Buffer.concat(pieces)).toEqual(Buffer.concat(parts));
          expect(pieces.every((piece) => piece.length > 0 && piece.length <= max)).toBe(true);
          expect(pieces.every((piece) => parts.some((part) => part.buffer === piece.buffer))).toBe(true);
        },
      ),
    );
  });
});

describe('a pacer', () => {
  it('asks for pieces of a few milliseconds at its rate, and of no less than is worth a timer', () => {
    expect(new Pacer(125_000_000).pieceBytes).toBe(500_000);
    expect(new Pacer(100_000).pieceBytes).toBe(16 * 1024);
  });

  it('asks for pieces of a second at most, however slow it is', () => {
    expect(new Pacer(1000).pieceBytes).toBe(1000);
    expect(new Pacer(0.5).pieceBytes).toBe(1);
  });

  it('lets no more than its rate and one burst pass', async () => {
    const bytesPerSecond = 10_000_000;
    const pacer = new Pacer(bytesPerSecond);
    const from = performance.now();
    let passed = 0;
    for (let piece = 0; piece < 40; piece++) {
      await pacer.take(pacer.pieceBytes);
      // What was let through before now: never ahead of the rate by more than two bursts.
      const allowed = ((performance.now() - from) / 1000) * bytesPerSecond + 2 * pacer.pieceBytes;
      expect(passed).toBeLessThanOrEqual(allowed);
      passed += pacer.pieceBytes;
    }
  });
});
