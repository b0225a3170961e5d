// A lock in guest memory that vCPUs hold across slices, and that moves along with who holds it and who waits.
// Never blocks; it knows nothing of what it guards.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import type { Vcpu } from '../guest-program.js';
import { GuestStateError, gpaText } from './state-error.js';
import { VCPU_SET_BYTES, VcpuSet } from './vcpu-set.js';

/** What a mutex takes, on 4 bytes. So many zero bytes are a mutex that nobody holds. */
export const MUTEX_BYTES = 4 + VCPU_SET_BYTES;

// Layout: the owner's number + 1, 0 for nobody; then who waits.
const WAITERS_AT = 4;
/** With the owner: it was handed the lock and has not come for it yet. */
const IS_HANDED = 0x100;

/**
 * A lock. A slice may not block, so `lock` answers whether it has it, and who does not get it returns from the slice and
 * asks again in the next one. Who has asked once is in the queue and must ask until it has it: an unlock hands the lock to
 * the next one in turn, and nobody gets it twice while another waits. What a slice has not finished it may do in a later one:
 * the lock stays held in between, also across a move.
 *
 * Who takes several takes them in one order everywhere, as with any lock.
 */
export class Mutex {
  /** Where it lies. */
  readonly gpa: number;
  readonly #memory: GuestMemory;
  readonly #waiters: VcpuSet;

  constructor(memory: GuestMemory, gpa: number) {
    this.#memory = memory;
    this.gpa = gpa;
    this.#waiters = new VcpuSet(memory, gpa + WAITERS_AT);
  }

  /** The number of the vCPU that holds it, or that it was handed to; -1 when nobody does. */
  get owner(): number {
    return (this.#memory.atomicLoad32(this.gpa) & ~IS_HANDED) - 1;
  }

  /** Whether that vCPU has asked for it and has to come again. */
  isAwaitedBy(vcpu: Pick<Vcpu, 'id'>): boolean {
    return this.#waiters.has(vcpu.id);
  }

  /**
   * Takes it if it is free or was handed to this vCPU; if not, puts the vCPU into the queue. Answers whether it has it.
   * @throws GuestStateError when the vCPU holds it already.
   */
  lock(vcpu: Pick<Vcpu, 'id'>): boolean {
    if (this.tryLock(vcpu)) return true;
    this.#waiters.add(vcpu.id);
    return false;
  }

  /**
   * As `lock`, but puts nobody into the queue: who does not get it need not come again.
   * @throws GuestStateError when the vCPU holds it already.
   */
  tryLock({ id }: Pick<Vcpu, 'id'>): boolean {
    const memory = this.#memory;
    const owner = memory.atomicCompareExchange32(this.gpa, 0, id + 1);
    if (owner !== 0) {
      if (owner === id + 1) {
        throw new GuestStateError(
          `vCPU ${id} holds the lock at ${gpaText(this.gpa)} already: it would wait for itself`,
        );
      }
      if (owner !== ((id + 1) | IS_HANDED)) return false;
      memory.atomicStore32(this.gpa, id + 1);
    }
    // It may be in the queue still: it was, and found the lock free; or it asked once more while it was being handed the lock.
    this.#waiters.remove(id);
    return true;
  }

  /**
   * Lets it go, or hands it to the next one who waits.
   * @throws GuestStateError when the vCPU does not hold it.
   */
  unlock({ id }: Pick<Vcpu, 'id'>): void {
    const memory = this.#memory;
    if (memory.atomicLoad32(this.gpa) !== id + 1) {
      throw new GuestStateError(
        `vCPU ${id} does not hold the lock at ${gpaText(this.gpa)}: ${this.owner < 0 ? 'nobody does' : `vCPU ${this.owner} does`}`,
      );
    }
    const next = this.#waiters.takeAfter(id);
    memory.atomicStore32(this.gpa, next < 0 ? 0 : (next + 1) | IS_HANDED);
  }
}
