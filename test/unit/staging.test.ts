// The ring of copies that a copier sends pages from.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { RegionWriter } from '../../src/source/pages/region-writer.js';
import { Staging, type Staged } from '../../src/source/pages/staging.js';
import { CHECKED } from '../../src/shared/wire/page-frames.js';
import { AnyOrder, feed, guestOf, isSame, receiverOver, somePages, write } from './page-fixtures.js';

const MARKS = { highBytes: 1 << 20, lowBytes: 1 << 19 };
const source = new Uint8Array(REGION_PAGES * PAGE_BYTES);

describe('staged pages', () => {
  it('stay as they are until they are taken, however large and in whatever turns', () => {
    const staging = new Staging(MARKS);
    const turns = fc.array(fc.oneof(fc.integer({ min: 1, max: REGION_PAGES }), fc.constant(0)), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(turns, (sizes) => {
        staging.forget();
        const staged: { readonly mark: number; readonly pages: Staged }[] = [];
        for (const [turn, pages] of sizes.entries()) {
          // Takes the oldest where there is no room, or where the turn says so.
          if (pages === 0 || !staging.hasRoom) {
            const [oldest] = staged.splice(0, 1);
            if (oldest === undefined) continue;
            if (!oldest.pages.bytes.every((byte) => byte === oldest.mark))
              expect.fail('a copy was overwritten');
            staging.taken();
            continue;
          }
          const mark = 1 + (turn % 250);
          const bytes = source.subarray(0, pages * PAGE_BYTES).fill(mark);
          staged.push({ mark, pages: staging.stage([bytes], bytes.length) });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('tells when there may be room again', async () => {
    const staging = new Staging(MARKS);
    while (staging.hasRoom) staging.stage([source], source.length);
    let hasChanged = false;
    const changed = staging.changed().then(() => {
      hasChanged = true;
    });
    await Promise.resolve();
    expect(hasChanged).toBe(false);
    staging.taken();
    await changed;
    expect(staging.hasRoom).toBe(true);
  });
});

describe('a frame of pages that the guest stores to before they leave', () => {
  const pages = somePages(8, 1, 2, 5);

  it.each([
    ['fits its check when it was staged', new Staging(MARKS), true],
    ['does not when it was not', undefined, false],
  ])('%s', (_, staging, isWhole) => {
    const guest = guestOf(8);
    for (const page of [1, 2, 5]) write(guest, page, 1);
    const before = guestOf(8);
    for (const page of [1, 2, 5]) write(before, page, 1);
    const frame = new RegionWriter(guest).frame(pages, 0, 0, CHECKED, 0, REGION_PAGES, staging)!;
    write(guest, 2, 9);
    const destination = guestOf(8);
    const { receiver, order } = receiverOver(destination, new AnyOrder(), true);
    const stream = Buffer.concat(frame.parts);
    if (!isWhole) {
      expect(() => {
        feed(receiver, stream);
      }).toThrow('damaged');
      return;
    }
    feed(receiver, stream);
    expect(order.pages).toBe(3);
    expect(isSame(before, destination)).toBe(true);
  });
});
