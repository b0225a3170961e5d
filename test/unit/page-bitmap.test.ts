import { describe, expect, it } from 'vitest';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';

describe('a page bitmap', () => {
  it('fills exactly its pages', () => {
    for (const pageCount of [1, 31, 32, 33, 64, 1000]) {
      const bitmap = new PageBitmap(pageCount);
      bitmap.fill();
      expect(bitmap.count()).toBe(pageCount);
      expect(bitmap.nextRun(0)).toEqual([0, pageCount]);
    }
  });
});
