// What the vCPUs of a machine counted, added up.
// Knows the layout of the counters; nobody waits for anybody here.
import { FAULT_BUCKETS } from './fault-latency.js';
import { GAP_BUCKETS } from './gap-buckets.js';
import { Counter, countersOf, type SharedMachine } from './shared-machine.js';

/** Sums over all vCPUs since the machine was made; instants are `monotonicUs`. */
export interface MachineCounters {
  readonly slices: number;
  readonly work: number;
  readonly pageFires: number;
  readonly longestGapUs: number;
  readonly longestSliceUs: number;
  readonly traceStoppedUs: number;
  readonly longestTraceStopUs: number;
  readonly throttledUs: number;
  readonly remoteFaults: number;
  readonly longestFaultUs: number;
  /** Remote page faults by latency (fault-latency.ts). */
  readonly faultBuckets: readonly number[];
  /** Per vCPU. */
  readonly firstSliceAt: readonly number[];
}

export function sumCounters(machine: SharedMachine): MachineCounters {
  const all = Array.from({ length: machine.spec.vcpus }, (_, vcpu) => countersOf(machine, vcpu));
  const sum = (counter: number): number => all.reduce((total, one) => total + one[counter]!, 0);
  return {
    slices: sum(Counter.SLICES),
    work: sum(Counter.WORK),
    pageFires: sum(Counter.PAGE_FIRES),
    longestGapUs: Math.max(...all.map((one) => one[Counter.LONGEST_GAP_US]!)),
    longestSliceUs: Math.max(...all.map((one) => one[Counter.LONGEST_SLICE_US]!)),
    traceStoppedUs: sum(Counter.TRACE_STOPPED_US),
    longestTraceStopUs: Math.max(...all.map((one) => one[Counter.LONGEST_TRACE_STOP_US]!)),
    throttledUs: sum(Counter.THROTTLED_US),
    remoteFaults: sum(Counter.REMOTE_FAULTS),
    longestFaultUs: Math.max(...all.map((one) => one[Counter.LONGEST_FAULT_US]!)),
    faultBuckets: Array.from({ length: FAULT_BUCKETS }, (_, bucket) =>
      sum(Counter.FAULT_BUCKETS_FROM + bucket),
    ),
    firstSliceAt: all.map((one) => one[Counter.FIRST_SLICE_AT]!),
  };
}

/** Gaps between slices so far, all vCPUs together: counts by bucket (gap-buckets.ts). */
export function sumGapCounts(machine: SharedMachine): Float64Array {
  const counts = new Float64Array(GAP_BUCKETS);
  for (let vcpu = 0; vcpu < machine.spec.vcpus; vcpu++) {
    const from = Counter.GAP_BUCKETS_FROM;
    countersOf(machine, vcpu)
      .subarray(from, from + GAP_BUCKETS)
      .forEach((count, bucket) => {
        counts[bucket]! += count;
      });
  }
  return counts;
}
