// The watch over slices, on a clock of its own; what vCPUs count and whether they run is written by hand.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  Counter,
  allocateMachine,
  countersOf,
  type SharedMachine,
} from '../../src/shared/guest/shared-machine.js';
import { LONG_SLICE_MS, watchSlices } from '../../src/shared/guest/slice-watch.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { VcpuSafepoint } from '../../src/shared/memory/vcpu-safepoint.js';

let machine: SharedMachine;
let warnings: string[];
let unwatch: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  machine = allocateMachine({
    program: 'loops',
    memoryBytes: 16 * PAGE_BYTES,
    vcpus: 2,
    seed: 1,
    writeRate: Infinity,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  });
  warnings = [];
  unwatch = watchSlices(machine, (text) => warnings.push(text));
});
afterEach(() => {
  unwatch();
  vi.useRealTimers();
});

/** The vCPU has begun a slice. */
const enter = (vcpu: number): void => {
  new VcpuSafepoint(machine.safepointWords, vcpu).enter();
};
const endSlice = (vcpu: number): void => {
  countersOf(machine, vcpu)[Counter.SLICES]!++;
};
/** From the first look that sees a slice on, it has lasted for so long when it is warned of. */
const untilWarned = LONG_SLICE_MS + 100;

it('names the vCPU and the guest whose slice lasts for 300 ms, and not before', () => {
  enter(1);
  vi.advanceTimersByTime(untilWarned - 1);
  expect(warnings).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^vCPU 1 of guest "loops" has been in one slice for 300 ms; .* make runSlice return sooner/,
    ),
  ]);
});

it('says how long the longest slice was that has ended', () => {
  enter(0);
  countersOf(machine, 0)[Counter.LONGEST_SLICE_US] = 41_200;
  vi.advanceTimersByTime(untilWarned);
  expect(warnings[0]).toContain('for 300 ms (the longest that it ended took 41.2 ms)');
});

it('says nothing of a vCPU whose slices end, however many looks there are, nor of one that is parked', () => {
  enter(0);
  for (let look = 0; look < 50; look++) {
    vi.advanceTimersByTime(untilWarned - 100);
    endSlice(0);
  }
  expect(warnings).toEqual([]);
});

it('warns of one vCPU every ten seconds at the most, and of the others all the same', () => {
  enter(0);
  vi.advanceTimersByTime(untilWarned);
  enter(1);
  vi.advanceTimersByTime(9_900);
  expect(warnings.map((text) => text.slice(0, 6))).toEqual(['vCPU 0', 'vCPU 1']);
  vi.advanceTimersByTime(100);
  expect(warnings.map((text) => text.slice(0, 6))).toEqual(['vCPU 0', 'vCPU 1', 'vCPU 0']);
});

it('looks no more once it was stopped', () => {
  enter(0);
  unwatch();
  vi.advanceTimersByTime(60_000);
  expect([warnings, vi.getTimerCount()]).toEqual([[], 0]);
});
