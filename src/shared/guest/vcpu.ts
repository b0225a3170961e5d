// A vCPU: runs slices of a guest program with a safepoint between each two, until it is told to exit.
// Runs on a worker's thread and blocks it; knows nothing of messages.
import { monotonicUs } from '../clock.js';
import { createGuestMemory, type PageEvents } from '../memory/guest-memory.js';
import { viewMemory } from '../memory/layout.js';
import { PageBitmap } from '../memory/page-bitmap.js';
import { PageState } from '../memory/pages.js';
import { Command, VcpuSafepoint } from '../memory/safepoints.js';
import { doTraceShare, tableWordsOf } from '../memory/tracing.js';
import { faultBucketOf } from './fault-latency.js';
import type { GuestProgram, Vcpu } from './guest-program.js';
import { Counter, countersOf, MachineSettings, registersOf, type SharedMachine } from './shared-machine.js';

/** What a vCPU tells the world about; each is called on the vCPU's thread. */
export interface VcpuEvents {
  /** The first slice after a park is about to begin; its FIRST_SLICE_AT follows at once. */
  resumed(): void;
  /** The guest touched a page that is still on the source. */
  pageFault(page: number): void;
}

/** Runs `program` on vCPU `id` of `machine`; starts parked and returns at EXIT. Throws what the program throws. */
export function runVcpu(machine: SharedMachine, id: number, program: GuestProgram, events: VcpuEvents): void {
  const safepoint = new VcpuSafepoint(machine.safepointWords, id);
  try {
    runUntilExit(safepoint, machine, id, program, events);
  } finally {
    // Also when the program threw: nobody may wait for a vCPU that will never pass a safepoint again.
    safepoint.exit();
  }
}

function runUntilExit(
  safepoint: VcpuSafepoint,
  machine: SharedMachine,
  id: number,
  program: GuestProgram,
  events: VcpuEvents,
): void {
  const counters = countersOf(machine, id);
  const settings = new MachineSettings(machine);
  const views = viewMemory(machine.memory);
  const tableWords = tableWordsOf(views);
  const dirty = new PageBitmap(views.pageCount, views.dirtyWords);
  let haltUntilGuestUs = 0;

  const pages: PageEvents = {
    pageFires: 0,
    waitForPage(page) {
      const from = monotonicUs();
      safepoint.waitForPage(
        page,
        () => Atomics.load(views.pageTable, page) < PageState.ABSENT,
        () => {
          events.pageFault(page);
        },
      );
      counters[Counter.REMOTE_FAULTS]!++;
      const waitedUs = monotonicUs() - from;
      counters[Counter.FAULT_WAIT_US]! += waitedUs;
      counters[Counter.LONGEST_FAULT_US] = Math.max(counters[Counter.LONGEST_FAULT_US]!, waitedUs);
      counters[Counter.FAULT_BUCKETS_FROM + faultBucketOf(waitedUs)]!++;
    },
  };
  const vcpu: Vcpu = {
    id,
    memory: createGuestMemory(views, pages),
    registers: registersOf(machine, id),
    nowUs: () => monotonicUs() - settings.guestClockBaseUs,
    haltUntil(guestUs) {
      haltUntilGuestUs = guestUs;
    },
    countWork(pageWrites) {
      counters[Counter.WORK]! += pageWrites;
    },
  };

  let command = safepoint.park();
  let isFirstSlice = true;
  let gapWatch = settings.gapWatch;
  // When the time between slices began to be the machine's doing; undefined after a sleep or a park.
  let gapFrom: number | undefined;
  while (command !== Command.EXIT) {
    if (command === Command.PARK) {
      counters[Counter.FIRST_SLICE_AT] = 0;
      command = safepoint.park();
      isFirstSlice = true;
      gapFrom = undefined;
      continue;
    }
    if (command === Command.TRACE) {
      command = safepoint.trace((work, vcpus) => {
        doTraceShare(views, tableWords, dirty, work, id, vcpus);
      });
      const stoppedUs = gapFrom === undefined ? 0 : monotonicUs() - gapFrom;
      counters[Counter.TRACE_STOPPED_US]! += stoppedUs;
      counters[Counter.LONGEST_TRACE_STOP_US] = Math.max(counters[Counter.LONGEST_TRACE_STOP_US]!, stoppedUs);
      continue;
    }
    if (isFirstSlice) events.resumed();
    const sliceFrom = monotonicUs();
    if (gapWatch !== settings.gapWatch) {
      gapWatch = settings.gapWatch;
      counters[Counter.LONGEST_GAP_US] = 0;
    }
    if (gapFrom !== undefined && sliceFrom - gapFrom > counters[Counter.LONGEST_GAP_US]!) {
      counters[Counter.LONGEST_GAP_US] = sliceFrom - gapFrom;
    }
    if (isFirstSlice) {
      counters[Counter.FIRST_SLICE_AT] = sliceFrom;
      isFirstSlice = false;
    }
    program.runSlice(vcpu);
    const sliceEnd = monotonicUs();
    counters[Counter.LAST_SLICE_END_AT] = sliceEnd;
    counters[Counter.SLICES]!++;
    counters[Counter.PAGE_FIRES] = pages.pageFires;
    gapFrom = sliceEnd;
    command = safepoint.pass();
    if (command !== Command.RUN) continue;

    const haltUs = haltUntilGuestUs - (sliceEnd - settings.guestClockBaseUs);
    haltUntilGuestUs = 0;
    if (haltUs > 0) {
      command = safepoint.halt(haltUs / 1000);
      gapFrom = undefined;
      counters[Counter.HALTED_US]! += monotonicUs() - sliceEnd;
    }
    const throttleUs = safepoint.throttleUs;
    if (throttleUs > 0 && command === Command.RUN) {
      const from = monotonicUs();
      command = safepoint.halt(throttleUs / 1000);
      gapFrom = undefined;
      counters[Counter.THROTTLED_US]! += monotonicUs() - from;
    }
  }
}
