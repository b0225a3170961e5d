// The tracer of a guest in segments, one thread at a time: whatever is stored, and whichever region gets its slot, before,
// within and after each of its steps, what was copied and what is named at the end are together the guest.
import { describe, expect, it } from 'vitest';
import { expand, statedPages } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { doTraceShare, type TraceWork } from '../../src/shared/memory/tracing.js';
import { Tracer, type TraceMode } from '../../src/source/tracer/tracer.js';
import { pagesIn } from '../support/departure-site.js';
import { SegmentedGuest } from '../support/segmented-guest.js';
import { Chance } from '../support/simulated-world.js';

const { PRESENT, TRACED, OUTSIDE } = PageState;
/** The last region has five pages. */
const MEMORY_BYTES = 2 ** 40 + 5 * PAGE_BYTES;
const LAST = 2 ** 19;
const SLOTS = 24;
const VCPUS = 3;

class Traced {
  readonly guest: SegmentedGuest;
  readonly tracer: Tracer;
  /** What happens while a grace period is waited for, or before vCPUs that stop do their shares. */
  meanwhile: () => void = () => undefined;

  constructor(mode: TraceMode, guest = new SegmentedGuest(MEMORY_BYTES, SLOTS)) {
    const { views } = guest;
    this.guest = guest;
    const dirty = new PageBitmap(views.pageCount, views.dirtyWords);
    const safepoints = {
      waitForGracePeriod: () => {
        this.meanwhile();
      },
      waitUntilParked: () => undefined,
      stopAndTrace: (work: TraceWork) => {
        this.meanwhile();
        for (let vcpu = 0; vcpu < VCPUS; vcpu++) doTraceShare(views, dirty, work, vcpu, VCPUS);
      },
    };
    this.tracer = new Tracer(guest.handle, safepoints, mode);
  }

  store(region: number, page = 0): void {
    this.guest.memory.store32(region * REGION_BYTES + page * PAGE_BYTES, 1);
  }

  /** Dirty pages as [region, page in it]. */
  get dirty(): [region: number, page: number][] {
    return pagesIn(this.tracer.dirty).map((frame) => [
      this.guest.regions.regionAt(Math.floor(frame / REGION_PAGES)) ?? -1,
      frame % REGION_PAGES,
    ]);
  }

  /** A slot that a vCPU has taken, and that is no region's. */
  takeSpare(): void {
    Atomics.add(this.guest.regions.words.used, 0, 1);
  }

  states(slot: number): Set<number> {
    return new Set(this.guest.views.pageTable.subarray(slot * REGION_PAGES, (slot + 1) * REGION_PAGES));
  }
}

const modes = ['dedicated', 'all-vcpus'] as const;

describe.each(modes)('traces of a guest in segments (%s)', (mode) => {
  it('are on every page of every region that has a slot, and on no other', () => {
    const traced = new Traced(mode);
    traced.store(7);
    traced.takeSpare();
    traced.store(LAST);
    expect(traced.tracer.installTraces().dirtyPages).toBe(REGION_PAGES + 5);
    expect([0, 1, 2, 3, 4].map((slot) => [...traced.states(slot)])).toEqual([
      [OUTSIDE],
      [TRACED],
      [PRESENT],
      [TRACED, OUTSIDE],
      [PRESENT],
    ]);
    expect(traced.tracer.harvest().dirtyPages).toBe(0);
    traced.store(LAST, 4);
    expect(traced.tracer.harvest().dirtyPages).toBe(1);
    expect(traced.dirty).toEqual([[LAST, 4]]);
    traced.tracer.removeTraces();
    expect([1, 2, 3].map((slot) => [...traced.states(slot)])).toEqual([
      [PRESENT],
      [PRESENT],
      [PRESENT, OUTSIDE],
    ]);
  });

  it('come to a region that is touched later with the next harvest, which takes all of it', () => {
    const traced = new Traced(mode);
    traced.store(7);
    traced.tracer.installTraces();
    traced.store(9, 3);
    expect([...traced.states(2)]).toEqual([PRESENT]);
    expect(traced.tracer.harvest().dirtyPages).toBe(REGION_PAGES);
    expect(new Set(traced.dirty.map(([region]) => region))).toEqual(new Set([9]));
    expect([...traced.states(2)]).toEqual([TRACED]);
    expect(traced.tracer.harvest().dirtyPages).toBe(0);
  });

  it('are not on a slot that is spare when they are installed, and come when it is a region', () => {
    const traced = new Traced(mode);
    traced.store(7);
    traced.takeSpare();
    traced.tracer.installTraces();
    // The vCPU that has it gives it away now, as SlotMaker does.
    const { directory, owners, summary } = traced.guest.regions.words;
    directory[50] = 2;
    owners[2] = 51;
    summary[2] = 1;
    traced.store(50, 6);
    expect(traced.tracer.harvest().dirtyPages).toBe(REGION_PAGES);
    traced.store(50, 6);
    expect(traced.tracer.harvest().dirtyPages).toBe(1);
  });

  it('leave what is not copied yet dirty, when a harvest keeps the rest', () => {
    const traced = new Traced(mode);
    traced.store(7);
    traced.tracer.installTraces();
    traced.tracer.harvest();
    traced.store(7, 8);
    traced.tracer.harvest();
    traced.store(70);
    expect(traced.tracer.harvest(true).dirtyPages).toBe(1 + REGION_PAGES);
  });

  it.each(['ahead', 'compacted', 'raw'] as const)('lose nothing, whatever happens when (%s)', (logic) => {
    const guest = new SegmentedGuest(MEMORY_BYTES, SLOTS);
    for (let seed = 1; seed <= 60; seed++) {
      const chance = new Chance(seed);
      guest.reset();
      const traced = new Traced(mode, guest);
      const {
        tracer,
        guest: { memory, regions, views },
      } = traced;
      const copy = new Map<number, number>();
      let version = 0;
      const storeSome = (): void => {
        for (let left = chance.between(0, 4); left > 0 && regions.count < SLOTS - 1; left--) {
          if (chance.between(0, 9) === 0) traced.takeSpare();
          const region = chance.between(0, 12) === 0 ? LAST : 3 * chance.between(0, 9);
          const page = chance.between(0, region === LAST ? 4 : REGION_PAGES - 1);
          memory.store32(region * REGION_BYTES + page * PAGE_BYTES, ++version);
        }
      };
      const wordOf = (frame: number): number =>
        new Int32Array(views.segments[0]!.buffer, frame * PAGE_BYTES, 1)[0]!;
      const copyDirty = (): void => {
        for (const frame of pagesIn(tracer.dirty)) copy.set(frame, wordOf(frame));
      };
      traced.meanwhile = storeSome;
      storeSome();
      tracer.installTraces();
      for (let round = chance.between(1, 4); round > 0; round--) {
        storeSome();
        copyDirty();
        storeSome();
        tracer.harvest();
      }
      if (logic === 'ahead') tracer.announce(false);
      storeSome();
      const last = tracer.takeLast(logic, false);
      const lacking = new Set(pagesIn(tracer.dirty));
      expect(lacking.size, `seed ${seed}`).toBe(last.dirtyPages);
      if (logic === 'compacted')
        expect(new Set(pagesIn(expand(last.bitmap, statedPages(last.bitmap))))).toEqual(lacking);
      for (let slot = regions.first; slot < regions.count; slot++)
        for (let frame = slot * REGION_PAGES; frame < (slot + 1) * REGION_PAGES; frame++) {
          const isLacking = lacking.has(frame);
          if (isLacking && (regions.regionAt(slot) === undefined || views.pageTable[frame] === OUTSIDE))
            expect.fail(`seed ${seed}: frame ${frame} is nobody's`);
          if (!isLacking && wordOf(frame) !== (copy.get(frame) ?? 0))
            expect.fail(`seed ${seed}: a store to frame ${frame} is lost`);
        }
    }
  });
});

describe('what is announced of a guest that nobody traced (post-copy)', () => {
  it('is all that has a slot, and what comes late is what got its slot since', () => {
    const traced = new Traced('dedicated');
    for (const region of [7, 8, 9]) traced.store(region);
    expect(traced.tracer.announce(true).pages).toBe(3 * REGION_PAGES);
    traced.store(7);
    traced.store(30);
    const { bitmap, dirtyPages } = traced.tracer.takeLast('ahead', true);
    expect(dirtyPages).toBe(4 * REGION_PAGES);
    expect(new Set(pagesIn(expand(bitmap, statedPages(bitmap))).map((frame) => frame >>> 9))).toEqual(
      new Set([4]),
    );
  });
});
