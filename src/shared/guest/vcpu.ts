// A vCPU: runs slices of a guest program with a safepoint between each two, until it is told to exit.
// Runs on a worker's thread and blocks it; knows nothing of messages.
import { monotonicUs } from '../clock.js';
import { createGuestMemory, type GuestMemory } from '../memory/guest-memory.js';
import { viewMemory } from '../memory/layout.js';
import { PageBitmap } from '../memory/page-bitmap.js';
import type { PageEvents } from '../memory/page-door.js';
import { PageState } from '../memory/pages.js';
import { Command } from '../memory/safepoint-words.js';
import { doTraceShare } from '../memory/tracing.js';
import { VcpuSafepoint } from '../memory/vcpu-safepoint.js';
import { GuestDevices } from './devices/guest-devices.js';
import { faultBucketOf } from './fault-latency.js';
import { gapBucketOf } from './gap-buckets.js';
import type { GuestProgram, Vcpu } from './guest-program.js';
import { guestSayOf, type CheckedAnswer } from './guest-say.js';
import { PoweredOff } from './power-off.js';
import { SliceGap } from './slice-gap.js';
import { Counter, countersOf, MachineSettings, registersOf, type SharedMachine } from './shared-machine.js';

/** Throttled sleeps are gathered until they are worth a timer, and are a few milliseconds at the most. */
const THROTTLE_SLEEP_US_MIN = 500;
const THROTTLE_SLEEP_US_MAX = 4000;
/** No more sleep than this is ever owed: the throttle eases at once when it is eased. */
const OWED_US_MAX = 20_000;

/** A guest that touches memory waits while its host has less than this: what the kernel ends for want of memory is lost. */
const HOST_BYTES_MIN = 128 << 20;
/** And while less than this, when it is to end its slice, because it is to park or to be traced: the rest is for that. */
const HOST_BYTES_LEAST = 32 << 20;
/** How often it looks whether there is more. */
const ROOM_LOOK_MS = 100;

/** Ends the slice of a guest that was told to exit while it waited for memory of its host. */
class LeftWaiting extends Error {}

/** What a vCPU tells the world about; each is called on the vCPU's thread. */
export interface VcpuEvents {
  /**
   * Its memory is made, and it is about to park for the first time. There is one for all that it does: of a second one in
   * the same thread the engine would compile neither well (docs/decisions/0003-guest-memory-closures.md).
   */
  made(memory: GuestMemory): void;
  /** The guest touched a page that is still on the source. */
  pageFault(page: number): void;
  /** The guest touched memory for the first time, and the host has none to spare: it waits until there is some. */
  shortOfMemory(): void;
  /** The guest has ended itself. */
  poweredOff?(reason: string): void;
  /** What its program answers to the question of that number, whether the guest may be moved. */
  answered?(question: number, answer: CheckedAnswer): void;
}

/** Runs `program` on vCPU `id` of `machine`; starts parked and returns at EXIT. Throws what the program throws. */
export function runVcpu(machine: SharedMachine, id: number, program: GuestProgram, events: VcpuEvents): void {
  const safepoint = new VcpuSafepoint(machine.safepointWords, id);
  try {
    runUntilExit(safepoint, machine, id, program, events);
  } catch (error) {
    if (error instanceof PoweredOff) events.poweredOff?.(error.reason);
    else if (!(error instanceof LeftWaiting)) throw error;
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
  const dirty = new PageBitmap(views.pageCount, views.dirtyWords);
  let haltUntilGuestUs = 0;
  let isBooted = false;
  // Nobody waits for the end of a boot, though the command is to park.
  const keptBytes = (): number =>
    isBooted && safepoint.command !== Command.RUN ? HOST_BYTES_LEAST : HOST_BYTES_MIN;
  // Sleep that the throttle asks for, in proportion to what this vCPU ran: fair, however long the slices are.
  let owedUs = 0;

  // Of this slice, what it waited for others in.
  let waitedUs = 0;
  // The sampler reads the slot of the sample before while this one is filled.
  const noteStall = (us: number): void => {
    const sample = settings.sampleNumber;
    const slot = Counter.STALL_SLOTS_FROM + 2 * (sample & 1);
    if (counters[slot] !== sample) {
      counters[slot + 1] = us;
      counters[slot] = sample;
    } else if (us > counters[slot + 1]!) counters[slot + 1] = us;
  };

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
      const faultUs = monotonicUs() - from;
      counters[Counter.LONGEST_FAULT_US] = Math.max(counters[Counter.LONGEST_FAULT_US]!, faultUs);
      counters[Counter.FAULT_BUCKETS_FROM + faultBucketOf(faultUs)]!++;
      waitedUs += faultUs;
      noteStall(faultUs);
    },
    awaitRoom(bytes) {
      const isShort = (): boolean => process.availableMemory() < bytes + keptBytes();
      if (!isShort()) return;
      const from = monotonicUs();
      events.shortOfMemory();
      do {
        if (safepoint.command === Command.EXIT) throw new LeftWaiting();
        safepoint.pause(ROOM_LOOK_MS);
      } while (isShort());
      const shortUs = monotonicUs() - from;
      waitedUs += shortUs;
      noteStall(shortUs);
    },
  };
  const memory = createGuestMemory(views, pages);
  const devices = new GuestDevices(memory, machine.spec);
  const vcpu: Vcpu = {
    id,
    memory,
    devices,
    registers: registersOf(machine, id),
    nowUs: () => monotonicUs() - settings.guestClockBaseUs,
    haltUntil(guestUs) {
      haltUntilGuestUs = guestUs;
    },
    powerOff(reason = '') {
      throw new PoweredOff(reason);
    },
    countWork(pageWrites) {
      counters[Counter.WORK]! += pageWrites;
    },
  };

  const say = guestSayOf(machine, program, vcpu, (question, answer) => events.answered?.(question, answer));
  // What is new for others costs them nothing.
  const hearsNews = say !== undefined || machine.spec.devices.length > 0;
  let newsSaid = 0;

  events.made(vcpu.memory);
  isBooted = true;
  let command = safepoint.park();
  let isFirstSlice = true;
  let isPaused = false;
  let gapWatch = settings.gapWatch;
  const gap = new SliceGap();
  const watchAnew = (): void => {
    if (gapWatch === settings.gapWatch) return;
    gapWatch = settings.gapWatch;
    counters[Counter.LONGEST_GAP_US] = 0;
    counters[Counter.LONGEST_SLICE_US] = 0;
    counters[Counter.LONGEST_TRACE_STOP_US] = 0;
  };
  while (command !== Command.EXIT) {
    if (command === Command.PARK) {
      counters[Counter.FIRST_SLICE_AT] = 0;
      counters[Counter.PARKED_AT] = monotonicUs();
      command = safepoint.park();
      isFirstSlice = true;
      gap.parked();
      continue;
    }
    // Before the stop: the one that installs the traces counts already.
    watchAnew();
    if (command === Command.TRACE) {
      command = safepoint.trace((work, vcpus) => {
        doTraceShare(views, dirty, work, id, vcpus);
      });
      const stoppedUs = gap.at(monotonicUs()) ?? 0;
      counters[Counter.TRACE_STOPPED_US]! += stoppedUs;
      counters[Counter.LONGEST_TRACE_STOP_US] = Math.max(counters[Counter.LONGEST_TRACE_STOP_US]!, stoppedUs);
      continue;
    }
    const sliceFrom = monotonicUs();
    const gapUs = gap.at(sliceFrom);
    if (gapUs !== undefined) {
      if (gapUs > counters[Counter.LONGEST_GAP_US]!) counters[Counter.LONGEST_GAP_US] = gapUs;
      counters[Counter.GAP_BUCKETS_FROM + gapBucketOf(gapUs)]!++;
      noteStall(gapUs);
    }
    if (isFirstSlice) {
      counters[Counter.FIRST_SLICE_AT] = sliceFrom;
      safepoint.noteResumed();
      isFirstSlice = false;
      isPaused = settings.isPaused;
      // It runs before the command to run is news, and the guest is told where it is before anything else.
      if (!isPaused) say?.look();
    }
    // Before the slice looks at its devices, and its say at what it is asked: what comes after that makes a halt return.
    const news = hearsNews ? safepoint.news : 0;
    if (isPaused) haltUntilGuestUs = Infinity;
    else {
      if (news !== newsSaid) {
        newsSaid = news;
        say?.look();
      }
      program.runSlice(vcpu);
      counters[Counter.SLICES]!++;
    }
    if (devices.isTouched) {
      devices.isTouched = false;
      safepoint.ringDevices();
    }
    const sliceEnd = monotonicUs();
    const sliceUs = sliceEnd - sliceFrom - waitedUs;
    if (sliceUs > counters[Counter.LONGEST_SLICE_US]!) counters[Counter.LONGEST_SLICE_US] = sliceUs;
    waitedUs = 0;
    counters[Counter.LAST_SLICE_END_AT] = sliceEnd;
    counters[Counter.PAGE_FIRES] = pages.pageFires;
    gap.sliceEnded(sliceEnd);
    command = safepoint.pass();
    if (command !== Command.RUN) continue;

    const haltUs = haltUntilGuestUs - (sliceEnd - settings.guestClockBaseUs);
    haltUntilGuestUs = 0;
    if (haltUs > 0) {
      command = hearsNews ? safepoint.haltForNews(haltUs / 1000, news) : safepoint.halt(haltUs / 1000);
      gap.slept(haltUs, monotonicUs() - sliceEnd);
    }
    const throttle = safepoint.throttle;
    owedUs = throttle === 0 ? 0 : Math.min(OWED_US_MAX, owedUs + throttle * (sliceEnd - sliceFrom));
    if (owedUs >= THROTTLE_SLEEP_US_MIN && command === Command.RUN) {
      const from = monotonicUs();
      const askedUs = Math.min(owedUs, THROTTLE_SLEEP_US_MAX);
      command = safepoint.halt(askedUs / 1000);
      const sleptUs = monotonicUs() - from;
      gap.slept(askedUs, sleptUs);
      counters[Counter.THROTTLED_US]! += sleptUs;
      // What a timer slept too long is taken off the next sleep.
      owedUs -= sleptUs;
    }
  }
}
