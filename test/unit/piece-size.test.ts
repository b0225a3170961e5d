// How many pages a frame brings on connections that are cut.
import { describe, expect, it } from 'vitest';
import { REGION_PAGES } from '../../src/shared/memory/pages.js';
import { PieceSize } from '../../src/source/pages/piece-size.js';

describe('a piece of a region', () => {
  it('is a region until a connection is cut, a quarter of what arrived then, and never less than a page', () => {
    const pieces = new PieceSize();
    expect(pieces.pages).toBe(REGION_PAGES);
    pieces.noteCut(100);
    expect(pieces.pages).toBe(25);
    pieces.noteCut(100 * REGION_PAGES);
    expect(pieces.pages).toBe(REGION_PAGES);
    pieces.noteCut(2);
    expect(pieces.pages).toBe(1);
  });

  it('gets so small in a few cuts that one arrives', () => {
    const pieces = new PieceSize();
    const sizes = [1, 2, 3, 4].map(() => {
      pieces.noteCut(0);
      return pieces.pages;
    });
    expect(sizes).toEqual([64, 8, 1, 1]);
  });

  it('grows on a connection that holds, and what was only queued is forgotten with the cut', () => {
    const pieces = new PieceSize();
    pieces.noteCut(40);
    for (let written = 0; written < REGION_PAGES; written += 10) pieces.noteWritten(10);
    expect(pieces.pages).toBe(20);
    pieces.noteCut(0);
    expect(pieces.pages).toBe(1);
    pieces.beginRound(REGION_PAGES);
    expect(pieces.pages).toBe(REGION_PAGES);
  });

  it('is no larger than its round allows, however much the connection carries', () => {
    const pieces = new PieceSize();
    pieces.beginRound(32);
    for (let written = 0; written < 4 * REGION_PAGES; written += 32) pieces.noteWritten(32);
    expect(pieces.pages).toBe(32);
    pieces.noteCut(100 * REGION_PAGES);
    expect(pieces.pages).toBe(32);
  });
});
