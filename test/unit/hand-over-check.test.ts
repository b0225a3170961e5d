// What is wrong with a hand-over, before anything of it is used.
import { describe, expect, it } from 'vitest';
import { checkHandOver } from '../../src/destination/states/hand-over-check.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { REGISTERS_PER_VCPU, type GuestSpec } from '../../src/shared/guest/guest-program.js';
import { compact } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import type { MessageOf } from '../../src/shared/wire/messages.js';

const PAGES = 9;
const guest: GuestSpec = {
  program: 'replay',
  memoryBytes: PAGES * PAGE_BYTES,
  vcpus: 2,
  seed: 1,
  writeRate: 1,
  hotSetBytes: 0,
};

function bitmapOf(pageCount: number, ...pages: number[]): Uint8Array<ArrayBuffer> {
  const bitmap = new PageBitmap(pageCount);
  for (const page of pages) bitmap.add(page);
  return compact(bitmap);
}

const registers = (vcpus: number, each = REGISTERS_PER_VCPU): Float64Array[] =>
  Array.from({ length: vcpus }, () => new Float64Array(each));

const good: MessageOf<'HAND_OVER'> = {
  name: 'HAND_OVER',
  registers: registers(2),
  guestClockUs: 5,
  pagesFollow: false,
  finalRound: 3,
  finalPages: 2,
  bitmap: bitmapOf(PAGES, 1, 8),
};

describe('a hand-over', () => {
  it('names the pages that are lacking', () => {
    const { lacking, lackingPages } = checkHandOver(guest, good);
    expect([lackingPages, lacking.has(1), lacking.has(8), lacking.has(0)]).toEqual([2, true, true, false]);
  });

  it('whose pages follow may lack any number of them', () => {
    expect(checkHandOver(guest, { ...good, pagesFollow: true, finalPages: 0 }).lackingPages).toBe(2);
  });

  it.each([
    ['fewer vCPUs', { registers: registers(1) }],
    ['more vCPUs', { registers: registers(3) }],
    ['a vCPU of fewer registers', { registers: [...registers(1), ...registers(1, REGISTERS_PER_VCPU - 1)] }],
    ['a clock before its beginning', { guestClockUs: -1 }],
    ['a clock of no number', { guestClockUs: NaN }],
    ['fewer pages than its bitmap', { finalPages: 1 }],
    ['more pages than its bitmap', { finalPages: 3 }],
    ['a bitmap of a smaller guest', { bitmap: bitmapOf(PAGES - 1, 1, 7) }],
    ['a bitmap of a larger guest', { bitmap: bitmapOf(PAGES + 1, 1, 8) }],
    ['a bitmap that is none', { bitmap: Uint8Array.of(1, 2) }],
  ])('is refused with %s', (_, wrong) => {
    expect(() => checkHandOver(guest, { ...good, ...wrong })).toThrow(ProtocolError);
  });
});
