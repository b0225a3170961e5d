// A set of vCPUs in guest memory: 8 bytes, which any of them may change at any time. Zero is the empty set.
// Knows nothing of what they are in it for.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';

/** What a set takes, on 4 bytes: a bit for each of 64 vCPUs. */
export const VCPU_SET_BYTES = 8;

export class VcpuSet {
  readonly #memory: GuestMemory;
  readonly #gpa: number;

  constructor(memory: GuestMemory, gpa: number) {
    this.#memory = memory;
    this.#gpa = gpa;
  }

  has(vcpu: number): boolean {
    return (this.#memory.atomicLoad32(this.#wordOf(vcpu)) & (1 << vcpu)) !== 0;
  }

  isEmpty(): boolean {
    return this.#memory.atomicLoad32(this.#gpa) === 0 && this.#memory.atomicLoad32(this.#gpa + 4) === 0;
  }

  add(vcpu: number): void {
    const memory = this.#memory;
    const gpa = this.#wordOf(vcpu);
    for (let word = memory.atomicLoad32(gpa); ;) {
      const found = memory.atomicCompareExchange32(gpa, word, word | (1 << vcpu));
      if (found === word) return;
      word = found;
    }
  }

  /** Takes a vCPU out; answers whether it was in. */
  remove(vcpu: number): boolean {
    const memory = this.#memory;
    const gpa = this.#wordOf(vcpu);
    for (let word = memory.atomicLoad32(gpa); ;) {
      if ((word & (1 << vcpu)) === 0) return false;
      const found = memory.atomicCompareExchange32(gpa, word, word & ~(1 << vcpu));
      if (found === word) return true;
      word = found;
    }
  }

  /** Takes out the next vCPU after that number, round and round; answers it, or -1 when the set is empty. */
  takeAfter(vcpu: number): number {
    const memory = this.#memory;
    const own = this.#wordOf(vcpu);
    const other = own === this.#gpa ? own + 4 : own - 4;
    const above = -2 << (vcpu & 31);
    for (;;) {
      const word = memory.atomicLoad32(own);
      if ((word & above) !== 0) {
        const next = (vcpu & 32) | lowestBit(word & above);
        if (this.remove(next)) return next;
        continue;
      }
      const otherWord = memory.atomicLoad32(other);
      if (otherWord === 0 && word === 0) return -1;
      const next = otherWord !== 0 ? (~vcpu & 32) | lowestBit(otherWord) : (vcpu & 32) | lowestBit(word);
      if (this.remove(next)) return next;
    }
  }

  /** Takes all out. */
  clear(): void {
    this.#memory.atomicStore32(this.#gpa, 0);
    this.#memory.atomicStore32(this.#gpa + 4, 0);
  }

  #wordOf(vcpu: number): number {
    return this.#gpa + ((vcpu >>> 5) & 1) * 4;
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
