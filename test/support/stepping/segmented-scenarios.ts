// Small migrations of a guest in segments by the product's own code: regions get their slots while traces are installed,
// harvests run and the last one parks the guest. Knows the product's methods and no order inside of them.
import { Command } from '../../../src/shared/memory/safepoint-words.js';
import { PAGE_BYTES, REGION_BYTES, REGION_PAGES } from '../../../src/shared/memory/pages.js';
import type { RegionWords } from '../../../src/shared/memory/regions.js';
import type { TextChange } from './modules.js';
import { Violation } from './machine.js';
import { idle, SteppingProduct, type Slice } from './product.js';
import type { Scenario } from './schedules.js';
import type { SegmentsScenarioSize } from './segmented-views.js';
import type { SilentSteps, Steps } from './steps.js';

export interface TouchScenario {
  /** What each vCPU stores to, a slice each. */
  readonly touches: readonly (readonly (readonly [region: number, page: number])[])[];
  readonly harvests: number;
  /** Slices between two stores in which a vCPU waits for the next epoch or command; 0 unless told. */
  readonly idles?: number;
  /** Traces are installed while the vCPUs run. */
  readonly installs?: boolean;
  /** What is known goes ahead of the park, or all that there is. */
  readonly announces?: 'known' | 'everything';
  readonly changes?: readonly TextChange[];
}

const SIZE: SegmentsScenarioSize = { regions: 2, slots: 4, pages: 2 };

/**
 * Pre-copy, or post-copy, in small. At the end the copy is the guest, every region has one slot, each page that is named is
 * of a region that is known by then, and nobody's last store to a page of its own is gone.
 */
export function touchScenario(options: TouchScenario): Scenario {
  const { touches, harvests } = options;
  const product = new SteppingProduct(touches.length, SIZE, options.changes ?? []);
  const tracer = product.tracer('dedicated');
  const { owners, directory } = (product.views.regions as unknown as { readonly words: RegionWords }).words;
  const { dirtyWords } = product.views;
  const copy = new Map<number, number>();
  let isOver = false;
  let mayPark = false;
  let isParking = false;
  let hasBegun = false;

  const isDirty = (frame: number): boolean => ((dirtyWords[frame >>> 5]! >>> (frame & 31)) & 1) === 1;
  function* copyDirty(): SilentSteps {
    for (let slot = 0; slot < SIZE.slots; slot++)
      for (let page = 0; page < SIZE.pages; page++) {
        const frame = slot * REGION_PAGES + page;
        if (isDirty(frame)) copy.set(frame, (yield* product.read(frame)) as number);
      }
  }
  // The regions are told right after: whose slot is not known then is told too late.
  function checkNamed(): void {
    for (let slot = 0; slot < SIZE.slots; slot++)
      if (owners[slot] === 0 && isDirty(slot * REGION_PAGES))
        throw new Violation(`pages of slot ${slot} are named, and nobody knows whose it is`);
  }
  function* trace(): SilentSteps {
    // Else it would all be over before anybody touches anything.
    if (options.installs !== true) yield { kind: 'until', isSo: () => hasBegun };
    if (options.installs === true) {
      yield* tracer.installTraces();
      checkNamed();
      yield* copyDirty();
    }
    for (let round = 1; round <= harvests; round++) {
      yield* tracer.harvest();
      checkNamed();
      // A switch-over follows its last harvest directly: nobody has copied what that took.
      if (round < harvests) yield* copyDirty();
    }
    const everything = options.announces === 'everything';
    if (options.announces !== undefined) yield* tracer.announce(everything);
    checkNamed();
    mayPark = true;
    yield { kind: 'until', isSo: () => isParking };
    yield* tracer.takeLast(options.announces === undefined ? 'compacted' : 'ahead', everything);
    checkNamed();
    yield* copyDirty();
    isOver = true;
  }
  function* control(): SilentSteps {
    yield* product.control.command(Command.RUN);
    yield { kind: 'until', isSo: () => mayPark };
    yield* product.control.command(Command.PARK);
    isParking = true;
    yield { kind: 'until', isSo: () => isOver };
    yield* product.control.command(Command.EXIT);
  }

  const stored = new Map<string, Set<number>>();
  const threads = new Map<string, Steps>([['machine', control()]]);
  touches.forEach((ofVcpu, vcpu) => {
    const slices = ofVcpu.flatMap(([region, page], nth): Slice[] => {
      const value = 100 * (vcpu + 1) + nth;
      const gpa = region * REGION_BYTES + page * PAGE_BYTES;
      return [
        function* (memory) {
          hasBegun = true;
          yield* memory.store32(gpa, value);
          const key = `${region} ${page}`;
          const before = [...(stored.get(key) ?? [])].filter((one) => Math.floor(one / 100) !== vcpu + 1);
          stored.set(key, new Set([...before, value]));
        },
        ...new Array<Slice>(options.idles ?? 0).fill(idle),
      ];
    });
    threads.set(`vCPU ${vcpu}`, product.vcpu(vcpu, slices));
  });
  threads.set('tracer', trace());

  function verdict(): string | undefined {
    for (let slot = 1; slot < SIZE.slots; slot++)
      if (owners[slot] !== 0 && directory[owners[slot]! - 1] !== slot)
        return `slot ${slot} says that it is of region ${owners[slot]! - 1}, which lies elsewhere`;
    for (let region = 0; region < SIZE.regions; region++)
      for (let page = 0; page < SIZE.pages; page++) {
        const slot = directory[region]!;
        const frame = slot * REGION_PAGES + page;
        const word = slot === 0 ? 0 : product.guestWords[(frame * PAGE_BYTES) / 4]!;
        const mayBe = stored.get(`${region} ${page}`);
        if (mayBe !== undefined && !mayBe.has(word)) return `a store to region ${region} went nowhere`;
        if (word !== (copy.get(frame) ?? 0)) return `a store to page ${page} of region ${region} is lost`;
      }
    return undefined;
  }
  return { threads, memory: product.memory, verdict };
}
