// The leaving of a guest in segments: which regions are told, when, and again on a new connection; and what is told of
// the raw bitmap.
import { describe, expect, it } from 'vitest';
import { ChunkReader } from '../../src/destination/chunk-reader.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import {
  CHUNK_BYTES,
  CHUNK_REGIONS,
  chunksOf,
  CLEAR_CHUNK,
  spaceChunks,
} from '../../src/shared/memory/space-bitmap.js';
import { REGIONS_PER_FRAME_MAX } from '../../src/shared/wire/switch-over-frames.js';
import { dirtyRegionsOf } from '../../src/source/tracer/dirty-snapshot.js';
import { ToldRegions } from '../../src/source/tracer/told-regions.js';
import { DepartureSite, HOW as how, pagesIn } from '../support/departure-site.js';
import { SegmentedGuest } from '../support/segmented-guest.js';
import { Chance } from '../support/simulated-world.js';

/** Two chunks and three pages of a third. */
const MEMORY_BYTES = 2 * CHUNK_BYTES * 8 * PAGE_BYTES + 3 * PAGE_BYTES;
const FAR = Math.floor(MEMORY_BYTES / REGION_BYTES);

/** A guest that touched regions 9 and FAR, the last, before it is to leave. */
function siteOf(): { guest: SegmentedGuest; site: DepartureSite; store: (region: number) => void } {
  const guest = new SegmentedGuest(MEMORY_BYTES, 12);
  const store = (region: number): void => {
    guest.memory.store8(region * REGION_BYTES, 1);
  };
  store(9);
  store(FAR);
  return { guest, site: new DepartureSite(guest.handle), store };
}

describe('regions of a guest that leaves', () => {
  it('are told before what names their pages: at a harvest, with the announcement, and with the hand-over', () => {
    const { site, store } = siteOf();
    site.departure.tellRegions();
    store(5);
    site.departure.begin(how);
    store(6);
    site.departure.announced(1);
    expect(site.log.map((said) => said.replace(/:.*/, ''))).toEqual([
      `REGIONS 1=9 2=${FAR}`,
      'REGIONS 3=5',
      'ANNOUNCEMENT 1',
      'park',
      'REGIONS 4=6',
      'HAND_OVER of 1',
      'departed',
    ]);
    expect(site.handOver).toMatchObject({ regions: 4, chunks: 0 });
    // All of those that no harvest has taken yet, by their guest addresses.
    expect(dirtyRegionsOf(site.left!.dirty)).toEqual([
      [5, REGION_PAGES],
      [6, REGION_PAGES],
    ]);
    expect(site.left?.last.dirtyPages).toBe(2 * REGION_PAGES);
  });

  it('are all told again on a new connection, before what is said again', () => {
    const { site, store } = siteOf();
    site.departure.begin(how);
    store(5);
    site.departure.connected();
    site.departure.announced(1);
    store(6);
    site.departure.connected();
    const told = site.log.filter((said) => said.startsWith('REGIONS'));
    expect(told).toEqual([
      `REGIONS 1=9 2=${FAR}`,
      `REGIONS 1=9 2=${FAR} 3=5`,
      `REGIONS 1=9 2=${FAR} 3=5 4=6`,
    ]);
    // The hand-over counts what there was when the guest was parked; the test let it touch another after that.
    expect(site.handOver?.regions).toBe(3);
  });

  it('count without a connection too, and are told on the next', () => {
    const { site, store } = siteOf();
    site.departure.begin(how);
    site.line.isUp = false;
    store(5);
    site.departure.announced(1);
    site.line.isUp = true;
    const before = site.log.length;
    site.departure.connected();
    expect(site.handOver?.regions).toBe(3);
    expect(site.log[before]).toBe(`REGIONS 1=9 2=${FAR} 3=5`);
  });

  it("are told late where a slot is nobody's yet, and not at all where it stays so", () => {
    const { guest } = siteOf();
    const { owners, used } = guest.regions.words;
    const told = new ToldRegions(guest.regions);
    used[0] = 5;
    expect(told.frames()).toHaveLength(1);
    expect([told.regionCount, told.frames().length]).toEqual([2, 0]);
    owners[4] = 78;
    expect(told.frames()).toHaveLength(1);
    expect(told.regionCount).toBe(3);
    expect(told.frames()).toEqual([]);
    told.forget();
    expect([told.regionCount, told.frames().length, told.regionCount]).toEqual([0, 1, 3]);
  });

  it('are told in frames of so many', () => {
    const count = 2 * REGIONS_PER_FRAME_MAX + 1;
    const regions = { first: 1, count: count + 1, regionAt: (slot: number) => slot + 100 };
    const told = new ToldRegions(regions);
    expect(told.frames()).toHaveLength(3);
    expect(told.regionCount).toBe(count);
  });
});

describe('the raw bitmap of a guest in segments', () => {
  it('is a bit for each page of the address space, in chunks before the hand-over, and said again with it', () => {
    const { guest, site } = siteOf();
    site.dirties(REGION_PAGES + 7, 2 * REGION_PAGES + 2);
    site.departure.begin({ ...how, logic: 'raw' });
    expect(site.chunks).toHaveLength(chunksOf(MEMORY_BYTES));
    expect(site.handOver).toMatchObject({ announcement: 0, regions: 2, chunks: 3 });
    const bits = Buffer.concat(site.chunks);
    const page = 9 * REGION_PAGES + 7;
    const far = FAR * REGION_PAGES + 2;
    expect([bits[page >>> 3], bits[Math.floor(far / 8)]]).toEqual([1 << (page & 7), 1 << (far & 7)]);
    expect(bits.reduce((sum, byte) => sum + byte, 0)).toBe((1 << (page & 7)) + (1 << (far & 7)));
    site.departure.connected();
    expect(site.chunks).toHaveLength(6);
    expect(Buffer.concat(site.chunks.slice(3)).equals(bits)).toBe(true);
    expect(guest.regions.count).toBe(3);
  });

  it('is put together again as the set that it was', () => {
    for (let seed = 1; seed <= 25; seed++) {
      const chance = new Chance(seed);
      const guest = new SegmentedGuest(MEMORY_BYTES, 12);
      const set = new Set<number>();
      for (let left = chance.between(0, 9); left > 0; left--) {
        const region = chance.pick([
          0,
          1,
          FAR,
          FAR - 1,
          CHUNK_REGIONS - 1,
          CHUNK_REGIONS,
          chance.between(0, FAR),
        ]);
        guest.memory.store8(region * REGION_BYTES, 1);
        for (let pages = chance.between(0, 40); pages > 0; pages--)
          set.add(guest.regions.slotOf(region) * REGION_PAGES + chance.between(0, region === FAR ? 2 : 511));
      }
      const { count } = guest.regions;
      const pages = new PageBitmap(count * REGION_PAGES);
      for (const one of set) pages.add(one);
      const chunks = spaceChunks(guest.views, pages);
      const reader = new ChunkReader(guest.views, (region) => guest.regions.slotOf(region));
      for (const chunk of chunks) reader.take(Uint8Array.from(chunk));
      expect(pagesIn(reader.pages), `seed ${seed}`).toEqual([...set].sort((one, other) => one - other));
    }
    expect(CLEAR_CHUNK.every((byte) => byte === 0)).toBe(true);
  });
});
