// The built product as stepping code: its vCPU loop, safepoints, guest memory, tracer, kernels and placement, on a guest
// of a few pages. What is replaced here is not explored: the layout of the one buffer, the clock, the bitmap's code.
import {
  ACKNOWLEDGED,
  baseOf,
  COMMAND,
  Command,
  DEVICES_HELD,
  EPOCH,
} from '../../../src/shared/memory/safepoint-words.js';
import type { MemoryViews } from '../../../src/shared/memory/layout.js';
import type { SharedMachine } from '../../../src/shared/guest/shared-machine.js';
import type { GuestProgram } from '../../../src/shared/guest/guest-program.js';
import type { VcpuEvents } from '../../../src/shared/guest/vcpu.js';
import type { GuestMemory } from '../../../src/shared/memory/guest-memory.js';
import { bitCount32 } from '../../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../../src/shared/memory/pages.js';
import { PAGES_BINARY } from '../../../src/shared/memory/kernels-binary.js';
import type { RegionDirectory } from '../../../src/shared/memory/regions.js';
import { steppingModules, type SteppingModules, type TextChange } from './modules.js';
import { NO_MEMORY, segmentedViews, type SegmentsScenarioSize } from './segmented-views.js';
import { drain, RUNTIME, watch, type SilentSteps, type Steps, type Watched } from './steps.js';
import { SteppingWebAssembly } from './webassembly.js';

/** The change of the product that its kernels exchange nothing: they are no text. */
export const withoutExchanges: TextChange = {
  file: 'shared/memory/assembly/pages.ts',
  from: 'atomic.xchg',
  to: '',
};

const WORDS_PER_PAGE = PAGE_BYTES / 4;

/** A method of stepping code: what was a call is steps. */
type Stepping<Args extends unknown[] = unknown[]> = (...args: Args) => Steps;

export interface SteppingControl {
  command: Stepping<[Command]>;
  waitForGracePeriod: Stepping<[]>;
  waitUntilParked: Stepping<[]>;
  wakeFaulting: Stepping<[(page: number) => boolean]>;
}

export interface SteppingTracer {
  installTraces: Stepping<[]>;
  harvest: Stepping<[]>;
  announce: Stepping<[everything: boolean]>;
  takeLast: Stepping<[format: string, everything: boolean]>;
  readonly dirty: { readonly words: Int32Array };
}

type SteppingGuestMemory = { readonly [Name in keyof GuestMemory]: Stepping };

/** What a vCPU of a scenario does, a slice each. */
export type Slice = (memory: SteppingGuestMemory) => Steps;

/** One machine of the product, its vCPUs not started yet. */
export class SteppingProduct {
  readonly memory: readonly Watched[];
  readonly views: MemoryViews;
  readonly control: SteppingControl;
  /** The first word of each page: what vCPUs write, and copies hold. */
  readonly guestWords: Int32Array;
  readonly #modules: SteppingModules;
  readonly #machine: SharedMachine;
  readonly #words: Int32Array;
  readonly #layout: SteppingLayout;

  /** In one piece, of so many pages, or in segments. */
  constructor(
    vcpus: number,
    guest: number | SegmentsScenarioSize,
    changes: readonly TextChange[],
    { hasDevice = false } = {},
  ) {
    const { modules, layout } = modulesWith(changes);
    this.#modules = modules;
    this.#layout = layout;
    const { views, memory } =
      typeof guest === 'number' ? inOnePiece(guest, changes) : this.#inSegments(guest);
    this.views = layout.current = views;
    const allocateMachine = this.#function('shared/guest/shared-machine.js', 'allocateMachine');
    const spec = {
      program: 'replay',
      memoryBytes: views.memoryBytes,
      vcpus,
      seed: 1,
      writeRate: Infinity,
      hotSetBytes: 0,
      residentBytes: 0,
      devices: hasDevice ? [{ name: 'd', kind: 'console', connections: 1, ringBytes: PAGE_BYTES }] : [],
    };
    this.#machine = drain(allocateMachine(spec)) as SharedMachine;
    this.#words = new Int32Array(this.#machine.safepointWords);
    this.guestWords = new Int32Array(this.views.segments[0]!.bytes.buffer);
    this.memory = [
      watch({ name: 'word', base: 0, buffer: this.#machine.safepointWords, granuleBytes: 4 }),
      ...memory,
    ];
    this.control = this.#make(
      'shared/memory/safepoint-control.js',
      'SafepointControl',
      this.#machine.safepointWords,
    ) as SteppingControl;
  }

  #inSegments(guest: SegmentsScenarioSize): ReturnType<typeof segmentedViews> {
    const Directory = this.#modules.load('shared/memory/regions.js')[
      'RegionDirectory'
    ] as typeof RegionDirectory;
    return segmentedViews(guest, (words) => new Directory(words));
  }

  /** The product's tracer; `mode` as in the product. */
  tracer(mode: 'dedicated' | 'all-vcpus'): SteppingTracer {
    return this.#make(
      'source/tracer/tracer.js',
      'Tracer',
      this.#machine.memory,
      this.control,
      mode,
    ) as SteppingTracer;
  }

  /** The product's own loop of a vCPU, which runs `slices` and then idles. */
  *vcpu(id: number, slices: readonly Slice[]): SilentSteps {
    const runVcpu = this.#function('shared/guest/vcpu.js', 'runVcpu');
    const words = this.#words;
    let done = 0;
    const program = {
      *runSlice(vcpu: { memory: SteppingGuestMemory }): SilentSteps {
        const slice = slices[done++] ?? idle;
        if (slice !== idle) yield* slice(vcpu.memory);
        else
          yield {
            kind: 'until',
            isSo: () => words[COMMAND] !== Command.RUN || words[EPOCH] !== words[baseOf(id) + ACKNOWLEDGED],
          };
      },
    };
    yield* runVcpu(this.#machine, id, program, {
      made: () => undefined,
      pageFault: () => undefined,
      shortOfMemory: () => undefined,
    }) as Steps;
  }

  /** The same loop with a program that is a test's own, which may be asked. */
  vcpuOf(id: number, program: GuestProgram, answered: VcpuEvents['answered']): Steps {
    const runVcpu = this.#function('shared/guest/vcpu.js', 'runVcpu');
    const nothing = (): void => undefined;
    const events = { made: nothing, pageFault: nothing, shortOfMemory: nothing, answered };
    return runVcpu(this.#machine, id, program, events) as Steps;
  }

  /** What is done to the words of a machine by a function of that name. */
  notice(name: 'putQuestion' | 'takeQuestionBack' | 'putTidings' | 'ringGuest', ...args: unknown[]): Steps {
    return this.#function('shared/guest/notices.js', name)(this.#machine, ...args) as Steps;
  }

  /** The device thread: each of `slices` in a slice of devices, as soon as the guest runs; then nothing. */
  *device(slices: readonly Slice[], isOver: () => boolean): SilentSteps {
    const words = this.#words;
    const safepoint = this.#make(
      'shared/memory/device-safepoint.js',
      'DeviceSafepoint',
      this.#machine.safepointWords,
    ) as { readonly enter: Stepping<[]>; readonly leave: Stepping<[]> };
    const createGuestMemory = this.#function('shared/memory/guest-memory.js', 'createGuestMemory');
    const memory = yield* createGuestMemory(this.views, { pageFires: 0 }) as Steps;
    for (const slice of slices) {
      while (!(yield* safepoint.enter())) {
        yield {
          kind: 'until',
          isSo: () => isOver() || (words[COMMAND] === Command.RUN && words[DEVICES_HELD] === 0),
        };
        if (isOver()) return;
      }
      yield* slice(memory as SteppingGuestMemory);
      yield* safepoint.leave();
    }
  }

  place(page: number, word: number): Steps {
    const bytes = new Uint8Array(PAGE_BYTES);
    new Int32Array(bytes.buffer)[0] = word;
    return this.#function('shared/memory/placement.js', 'placeAbsentPage')(this.views, page, bytes) as Steps;
  }

  settle(): Steps {
    const settleArrived = this.#function('shared/memory/placement.js', 'settleArrived');
    return settleArrived(this.views, () => this.control.waitForGracePeriod()) as Steps;
  }

  /** A copier's read of a page, of that word of it that counts. */
  *read(page: number): Steps {
    return yield { kind: 'load', array: this.guestWords, index: page * WORDS_PER_PAGE };
  }

  /** Whether the page is there, as whoever wakes waiters looks. */
  hasArrived(page: number): boolean {
    return Atomics.load(this.views.pageTable, page) < 3;
  }

  #function(file: string, name: string): (...args: unknown[]) => unknown {
    this.#layout.current = this.views;
    return this.#modules.load(file)[name] as (...args: unknown[]) => unknown;
  }

  #make(file: string, name: string, ...args: unknown[]): unknown {
    this.#layout.current = this.views;
    const Made = this.#modules.load(file)[name] as new (...args: unknown[]) => unknown;
    return new Made(...args);
  }
}

function inOnePiece(pages: number, changes: readonly TextChange[]): ReturnType<typeof segmentedViews> {
  const views = allocateViews(pages, changes);
  return {
    views,
    memory: [
      watch({ name: 'page', base: 10000, buffer: views.pageTable.buffer, granuleBytes: 1 }),
      watch({ name: 'summary', base: 20000, buffer: views.summary.buffer, granuleBytes: 1 }),
      watch({
        name: 'guest',
        base: 30000,
        buffer: views.segments[0]!.bytes.buffer,
        granuleBytes: 4,
        only: Array.from({ length: pages }, (_, page) => page * WORDS_PER_PAGE),
      }),
    ],
  };
}

interface SteppingLayout {
  current: MemoryViews | undefined;
}

const known = new Map<string, { modules: SteppingModules; layout: SteppingLayout }>();

function modulesWith(changes: readonly TextChange[]): { modules: SteppingModules; layout: SteppingLayout } {
  const key = JSON.stringify(changes);
  const made = known.get(key);
  if (made !== undefined) return made;
  const layout: SteppingLayout = { current: undefined };
  const replaced = {
    'shared/clock.js': { monotonicUs: () => 0 },
    'shared/memory/layout.js': {
      allocateMemory: () => ({ views: layout.current }),
      viewMemory: ({ views }: { views: MemoryViews }) => views,
    },
    'shared/memory/compacted-bitmap.js': {
      encodeBitmap: () => new Uint8Array(0),
      compact: () => new Uint8Array(0),
    },
  };
  const modules = steppingModules(RUNTIME, replaced, changes);
  known.set(key, { modules, layout });
  return { modules, layout };
}

/** Where the kernels see the summary and the bitmaps; the page table is at 0, and a region of it is 512 entries. */
const SUMMARY_AT = 2048;
const BITMAPS_AT = 4096;

const steppingKernels = ['takeRegion', 'readFired', 'replaceState'];

function allocateViews(pages: number, changes: readonly TextChange[]): MemoryViews {
  const bytes = new Uint8Array(new SharedArrayBuffer(pages * PAGE_BYTES));
  const pageTable = new Uint8Array(new SharedArrayBuffer(4 * Math.ceil(pages / 4))).fill(255, pages);
  const summary = new Uint8Array(new SharedArrayBuffer(SUMMARY_AT + 1), SUMMARY_AT, 1);
  const bitmaps = new SharedArrayBuffer(BITMAPS_AT + 12);
  const [dirtyWords, lateWords, scratchWords] = [0, 4, 8].map(
    (offset) => new Int32Array(bitmaps, BITMAPS_AT + offset, 1),
  ) as [Int32Array<SharedArrayBuffer>, Int32Array<SharedArrayBuffer>, Int32Array<SharedArrayBuffer>];
  const kernels = new SteppingWebAssembly(
    PAGES_BINARY,
    [
      { from: 0, array: pageTable, bytes: pages },
      { from: SUMMARY_AT, array: summary, bytes: 1 },
      { from: BITMAPS_AT, array: new Uint8Array(bitmaps, BITMAPS_AT), bytes: 12 },
    ],
    changes.some(({ file }) => file === withoutExchanges.file),
  );
  // What they answer is steps, as of everything here.
  const pageKernels = {
    ...Object.fromEntries(
      steppingKernels.map((name) => [name, (...args: number[]) => kernels.call(name, ...args)]),
    ),
    // Nobody else looks at the bitmaps, so this need not stop.
    addBits: (from: number, into: number): number => {
      const [some, others] = [from, into].map((at) => new Int32Array(bitmaps, at, 1)) as [
        Int32Array,
        Int32Array,
      ];
      const added = bitCount32(some[0]! & ~others[0]!);
      others[0]! |= some[0]!;
      return added;
    },
  } as unknown as MemoryViews['kernels'];
  return {
    memoryBytes: pages * PAGE_BYTES,
    pageCount: pages,
    regions: { first: 0, count: 1, regionAt: (slot) => slot },
    segments: [{ memory: NO_MEMORY, buffer: bytes.buffer, pagesOffset: 0, bytes, kernels: pageKernels }],
    pageTable,
    summary,
    dirtyWords,
    lateWords,
    scratchWords,
    faultWords: new Int32Array(new SharedArrayBuffer(12)),
    kernels: pageKernels,
  };
}

/** Does nothing until there is a command or an epoch to look at. */
export const idle: Slice = () => {
  throw new Error('a slice that does nothing is not run');
};

/** One store of a slice. */
export const storing =
  (page: number, value: number): Slice =>
  (memory) =>
    memory.store32(page * PAGE_BYTES, value);
