// How many page writes a slice makes and when the next one is due, for guests with a write rate.
// The due time lives in a register, so that the pace goes on across a migration.
import type { GuestSpec, Vcpu } from '../guest-program.js';

/** A vCPU that fell behind by more than this does not try to catch up. */
const CATCH_UP_US_MAX = 50_000;

export interface Pace {
  readonly batch: number;
  /** Whether this vCPU may run its batch now; if not, it has been asked to sleep until it may. */
  mayRun(vcpu: Vcpu): boolean;
}

/** Spreads `spec.writeRate` over the vCPUs in batches of at most `batchMax`; the due time is kept in `register`. */
export function paceFor(spec: GuestSpec, batchMax: number, register: number): Pace {
  const perVcpuUs = spec.writeRate / spec.vcpus / 1e6;
  if (perVcpuUs === Infinity) return { batch: batchMax, mayRun: () => true };
  // About a millisecond's worth a batch: fine enough to be smooth, coarse enough for a timer.
  const batch = Math.max(1, Math.min(batchMax, Math.round(perVcpuUs * 1000)));
  const batchUs = batch / perVcpuUs;
  return {
    batch,
    mayRun(vcpu) {
      const now = vcpu.nowUs();
      const due = vcpu.registers[register]!;
      if (batchUs === Infinity || now < due) {
        vcpu.haltUntil(batchUs === Infinity ? now + CATCH_UP_US_MAX : due);
        return false;
      }
      vcpu.registers[register] = Math.max(due, now - CATCH_UP_US_MAX) + batchUs;
      return true;
    },
  };
}
