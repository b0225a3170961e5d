import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wrapLines } from '../../src/report/wrapping.js';

describe('a line that is too long', () => {
  it('is broken between words', () => {
    expect(wrapLines('Migrated guest "hot-set" by hybrid in 1.05 s.', 24)).toBe(
      'Migrated guest "hot-set"\nby hybrid in 1.05 s.',
    );
  });

  it('goes on below the value of its row', () => {
    expect(wrapLines('  forecast   2.24 ms  switched over: stun within budget', 40)).toBe(
      '  forecast   2.24 ms  switched over:\n             stun within budget'.replace(
        '             ',
        ' '.repeat(13),
      ),
    );
  });

  it('keeps a word whole that is longer than a line', () => {
    expect(wrapLines('see /a/very/long/path/of/a/file there', 10)).toBe(
      'see\n/a/very/long/path/of/a/file\nthere',
    );
  });

  it('is left alone when it fits, and so are the lines beside it', () => {
    expect(wrapLines('short\n\n  also  short', 20)).toBe('short\n\n  also  short');
  });

  it('loses no word and gains none, whatever it is and however narrow the terminal', () => {
    const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
    fc.assert(
      fc.property(fc.stringMatching(/^[ a-z\n]*$/), fc.integer({ min: 1, max: 40 }), (text, columns) => {
        expect(words(wrapLines(text, columns))).toEqual(words(text));
      }),
    );
  });
});
