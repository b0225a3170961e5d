// A condition in guest memory: vCPUs wait for what another one changes under a lock, and halt meanwhile.
// Who waits moves along with the guest; it knows nothing of what is waited for.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import type { Vcpu } from '../guest-program.js';
import type { Mutex } from './mutex.js';
import { VCPU_SET_BYTES, VcpuSet } from './vcpu-set.js';

/** What a condition takes, on 4 bytes. So many zero bytes are a condition that nobody waits for. */
export const CONDITION_BYTES = 4 + VCPU_SET_BYTES;

// Layout: who was signalled last, and who waits.
const WAITERS_AT = 4;

/** A vCPU that waits looks so often whether it was signalled. */
const LOOK_US = 500;

/**
 * A condition. A slice begins with `if (condition.isWaiting(vcpu)) return;`, takes the lock, looks at what it waits for, and if
 * that is not so yet calls `wait` and returns. It looks again whenever it was signalled: that it was does not say that it is so.
 */
export class Condition {
  /** Where it lies. */
  readonly gpa: number;
  readonly #memory: GuestMemory;
  readonly #waiters: VcpuSet;

  constructor(memory: GuestMemory, gpa: number) {
    this.#memory = memory;
    this.gpa = gpa;
    this.#waiters = new VcpuSet(memory, gpa + WAITERS_AT);
  }

  /** Lets the lock go and waits from now on; nothing that is signalled after the lock was let go is missed. */
  wait(vcpu: Pick<Vcpu, 'id' | 'nowUs' | 'haltUntil'>, mutex: Mutex): void {
    this.#waiters.add(vcpu.id);
    mutex.unlock(vcpu);
    vcpu.haltUntil(vcpu.nowUs() + LOOK_US);
  }

  /** Whether this vCPU still waits. If so it is asked to halt: return from the slice. */
  isWaiting(vcpu: Pick<Vcpu, 'id' | 'nowUs' | 'haltUntil'>): boolean {
    if (!this.#waiters.has(vcpu.id)) return false;
    vcpu.haltUntil(vcpu.nowUs() + LOOK_US);
    return true;
  }

  /** Wakes one vCPU, if any waits: each in its turn. Change what it waits for first, under the lock. */
  signal(): void {
    const memory = this.#memory;
    const woken = this.#waiters.takeAfter(memory.atomicLoad32(this.gpa));
    if (woken >= 0) memory.atomicStore32(this.gpa, woken);
  }

  /** Wakes all. */
  broadcast(): void {
    this.#waiters.clear();
  }
}
