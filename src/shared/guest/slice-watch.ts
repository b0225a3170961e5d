// Watches for slices that are too long: a guest can only be stopped between two, so such a one is named before it is in the
// way. Looks at what the vCPUs count, from outside; costs them nothing.
import { SafepointControl } from '../memory/safepoint-control.js';
import { VcpuState } from '../memory/safepoint-words.js';
import { hostTime } from '../timers.js';
import { formatMs } from '../units.js';
import { Counter, countersOf, type SharedMachine } from './shared-machine.js';

/** How often it looks. Looks are counted, not time: a process that was held up itself finds no slice too long for it. */
const LOOK_MS = 100;
/** In so many looks a vCPU is in the same slice: it lasts for 300 ms at the least. */
const LOOKS_MAX = 4;
/** One vCPU is named so often, however often its slices are too long. */
const QUIET_LOOKS = 100;

/** The longest slice that is not warned of, about. */
export const LONG_SLICE_MS = (LOOKS_MAX - 1) * LOOK_MS;

interface Looks {
  slices: number;
  same: number;
  quiet: number;
}

/** Calls `warn` with a sentence for each slice that is too long; of one vCPU not more often than every ten seconds. Answers how to stop. */
export function watchSlices(machine: SharedMachine, warn: (text: string) => void): () => void {
  const safepoints = new SafepointControl(machine.safepointWords);
  const looks = Array.from({ length: machine.spec.vcpus }, (): Looks => ({ slices: 0, same: 0, quiet: 0 }));
  const looking = hostTime.every(LOOK_MS, () => {
    looks.forEach((seen, vcpu) => {
      const slices = countersOf(machine, vcpu)[Counter.SLICES]!;
      const isSame = safepoints.state(vcpu) === VcpuState.RUNNING && slices === seen.slices;
      seen.same = isSame ? seen.same + 1 : 0;
      seen.slices = slices;
      seen.quiet = Math.max(0, seen.quiet - 1);
      if (seen.same < LOOKS_MAX || seen.quiet > 0) return;
      seen.quiet = QUIET_LOOKS;
      const endedUs = countersOf(machine, vcpu)[Counter.LONGEST_SLICE_US]!;
      warn(longSliceText(machine.spec.program, vcpu, (seen.same - 1) * LOOK_MS, endedUs));
    });
  });
  return () => {
    looking.cancel();
  };
}

function longSliceText(program: string, vcpu: number, ms: number, endedUs: number): string {
  const before = endedUs > 0 ? ` (the longest that it ended took ${formatMs(endedUs / 1000)})` : '';
  return (
    `vCPU ${vcpu} of guest "${program}" has been in one slice for ${ms} ms${before}; a guest can only be stopped, traced or moved ` +
    'between slices, so it stands still for as long as the longest of them: make runSlice return sooner, in well under 100 µs'
  );
}
