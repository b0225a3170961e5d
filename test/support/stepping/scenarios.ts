// Small migrations and page faults by the product's own code, as scenarios: which threads there are and what must
// hold when all have ended. Knows the product's methods and no order inside of them.
import { Command } from '../../../src/shared/memory/safepoint-words.js';
import { PAGE_BYTES, PageState } from '../../../src/shared/memory/pages.js';
import type { TextChange } from './modules.js';
import { Violation } from './machine.js';
import { idle, SteppingProduct, storing, type Slice } from './product.js';
import type { Scenario } from './schedules.js';
import type { SilentSteps, Steps } from './steps.js';

export interface HarvestScenario {
  readonly vcpus: number;
  readonly pages: number;
  /** Stores of each vCPU, a slice each, to its pages in turn. */
  readonly stores: number;
  readonly harvests: number;
  /** Slices between two stores in which a vCPU waits for the next epoch or command; 0 unless told. */
  readonly idles?: number;
  /** The machine parks its guest, lets it run again and parks it for good, all beside the harvests. */
  readonly parks?: boolean;
  readonly mode: 'dedicated' | 'all-vcpus';
  /** Stores of the device thread, each in a slice of its own, to the pages in turn; there is none unless told. */
  readonly deviceStores?: number;
  /** Traces are installed while the vCPUs run, and not before. */
  readonly installs?: boolean;
  /** What is known goes ahead of the park; the last harvest adds what was dirtied since. */
  readonly announces?: boolean;
  readonly changes?: readonly TextChange[];
}

/**
 * Pre-copy in small: traces, harvests each with its copy but the last, the park, the last harvest and its copy. At the
 * end the copy is the guest.
 */
export function harvestScenario(options: HarvestScenario): Scenario {
  const { vcpus, pages, stores, harvests, mode } = options;
  const { deviceStores = 0 } = options;
  const hasDevice = deviceStores > 0;
  const product = new SteppingProduct(vcpus, pages, options.changes ?? [], { hasDevice });
  const tracer = product.tracer(mode);
  const copy = new Array<number>(pages).fill(-1);
  let isOver = false;
  let mayPark = false;
  let isParking = false;
  let isRunning = false;

  function* copyDirty(): SilentSteps {
    for (let page = 0; page < pages; page++)
      if (((tracer.dirty.words[0]! >>> page) & 1) === 1) copy[page] = (yield* product.read(page)) as number;
  }
  function* trace(): SilentSteps {
    // A command ends trace work of the vCPUs, and the product asks for that after its RUN. Harvests do not mind.
    if (mode === 'all-vcpus') yield { kind: 'until', isSo: () => isRunning };
    if (options.installs === true) {
      yield* tracer.installTraces();
      yield* copyDirty();
    }
    for (let round = 1; round <= harvests; round++) {
      yield* tracer.harvest();
      // A switch-over follows its last harvest directly: nobody has copied what that took.
      if (round < harvests) yield* copyDirty();
    }
    if (options.announces === true) yield* tracer.announce(false);
    mayPark = true;
    yield { kind: 'until', isSo: () => isParking };
    yield* tracer.takeLast(options.announces === true ? 'ahead' : 'raw', false);
    yield* copyDirty();
    isOver = true;
  }
  function* control(): SilentSteps {
    yield* product.control.command(Command.RUN);
    isRunning = true;
    if (options.parks === true) {
      yield* product.control.command(Command.PARK);
      yield* product.control.waitUntilParked();
      yield* product.control.command(Command.RUN);
    }
    yield { kind: 'until', isSo: () => mayPark || options.parks === true };
    yield* product.control.command(Command.PARK);
    isParking = true;
    yield { kind: 'until', isSo: () => isOver };
    yield* product.control.command(Command.EXIT);
  }

  const threads = new Map<string, Steps>([['machine', control()]]);
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    const pause = new Array<Slice>(options.idles ?? 0).fill(idle);
    const slices = Array.from({ length: stores }, (_, nth): Slice[] => [
      storing((vcpu + nth) % pages, 100 * (vcpu + 1) + nth),
      ...pause,
    ]).flat();
    threads.set(`vCPU ${vcpu}`, product.vcpu(vcpu, slices));
  }
  if (hasDevice) {
    const slices = Array.from({ length: deviceStores }, (_, nth) => storing(nth % pages, 9000 + nth));
    threads.set(
      'device',
      product.device(slices, () => isOver),
    );
  }
  threads.set('tracer', trace());
  if (options.installs !== true) {
    product.views.pageTable.fill(PageState.TRACED, 0, pages);
    copy.fill(0);
  }
  return {
    threads,
    memory: product.memory,
    verdict: () => {
      const lost = copy.findIndex((word, page) => word !== product.guestWords[(page * PAGE_BYTES) / 4]);
      return lost === -1 ? undefined : `a store to page ${lost} is lost`;
    },
  };
}

export interface PlacementScenario {
  readonly pages: number;
  readonly vcpus: number;
  /** A second party places an older copy of each page, as a push does beside a fault. */
  readonly hasRival?: boolean;
  readonly changes?: readonly TextChange[];
}

const ARRIVING = 7;
const WRITTEN = 50;

/** Post-copy in small: vCPUs read and then write pages that are placed and settled meanwhile. */
export function placementScenario({ pages, vcpus, hasRival, changes }: PlacementScenario): Scenario {
  const product = new SteppingProduct(vcpus, pages, changes ?? []);
  product.views.pageTable.fill(PageState.ABSENT, 0, pages);
  let vcpusLeft = vcpus;

  const slicesOf = (vcpu: number): Slice[] =>
    Array.from({ length: pages }, (_, page): Slice[] => [
      function* (memory) {
        const word = (yield* memory.load32(page * PAGE_BYTES)) as number;
        if (word < ARRIVING) throw new Violation(`vCPU ${vcpu} read page ${page} before its bytes`);
      },
      storing(page, WRITTEN + vcpu),
      function* (memory) {
        const word = (yield* memory.load32(page * PAGE_BYTES)) as number;
        if (word < WRITTEN) throw new Violation(`vCPU ${vcpu} lost its store to page ${page}`);
        if (page === pages - 1) vcpusLeft--;
      },
    ]).flat();
  function* place(): SilentSteps {
    for (let page = 0; page < pages; page++) {
      yield* product.place(page, ARRIVING);
      yield* product.control.wakeFaulting((one) => product.hasArrived(one));
    }
  }
  function* fetch(): SilentSteps {
    yield* place();
    yield { kind: 'until', isSo: () => product.views.pageTable.subarray(0, pages).every(isThere) };
    yield* product.settle();
  }
  function* control(): SilentSteps {
    yield* product.control.command(Command.RUN);
    yield { kind: 'until', isSo: () => vcpusLeft === 0 };
    yield* product.control.command(Command.EXIT);
  }

  const threads = new Map<string, Steps>([['machine', control()]]);
  for (let vcpu = 0; vcpu < vcpus; vcpu++) threads.set(`vCPU ${vcpu}`, product.vcpu(vcpu, slicesOf(vcpu)));
  threads.set('fetcher', fetch());
  if (hasRival === true) threads.set('receiver', place());
  return {
    threads,
    memory: product.memory,
    verdict: () =>
      product.views.pageTable.subarray(0, pages).every((state) => state === PageState.PRESENT)
        ? undefined
        : 'a page is not settled',
  };
}

function isThere(state: number): boolean {
  return state < PageState.ABSENT;
}
