// The loops over a guest's page table and pages, in place, in AssemblyScript; `npm run kernels` compiles them.
// Knows addresses only; whose bytes they are, and why these accesses are enough, is docs/memory-model.md.

const TRACED: u32 = 1;
const ABSENT: u8 = 3;

function presentOf16(entries: usize): u32 {
  return <u32>i8x16.bitmask(i8x16.eq(v128.load(entries), i8x16.splat(0)));
}

function presentOf32(entries: usize): u32 {
  return presentOf16(entries) | (presentOf16(entries + 16) << 16);
}

/**
 * Exchanges each PRESENT of the 512 entries back to TRACED, one at a time, because a vCPU may fire a neighbour
 * meanwhile, and sets its bit.
 */
export function takeRegion(entries: usize, bits: usize): void {
  for (let end = entries + 512; entries < end; entries += 32, bits += 4) {
    let fired = presentOf32(entries);
    if (fired == 0) continue;
    store<u32>(bits, load<u32>(bits) | fired);
    do {
      atomic.xchg<u8>(entries + ctz(fired), <u8>TRACED);
      fired &= fired - 1;
    } while (fired != 0);
  }
}

/** Sets the bit of each PRESENT of the 512 entries. */
export function readRegion(entries: usize, bits: usize): void {
  for (let end = entries + 512; entries < end; entries += 32, bits += 4) {
    const fired = presentOf32(entries);
    if (fired != 0) store<u32>(bits, load<u32>(bits) | fired);
  }
}

/** Makes the entry of each bit of `words` words ABSENT and touches no other. */
export function markAbsent(entries: usize, bits: usize, words: u32): void {
  for (let end = bits + ((<usize>words) << 2); bits < end; bits += 4, entries += 32) {
    let rest = load<u32>(bits);
    if (rest == 0) continue;
    if (rest == 0xffffffff) {
      v128.store(entries, i8x16.splat(ABSENT));
      v128.store(entries, i8x16.splat(ABSENT), 16);
      continue;
    }
    do {
      store<u8>(entries + ctz(rest), ABSENT);
      rest &= rest - 1;
    } while (rest != 0);
  }
}

/**
 * 1 when all 4096 bytes of a page are zero. Most pages that are not differ in their first words. The last page of the
 * largest guest ends at 2^32, which is no address: bytes are counted.
 */
export function isZeroPage(page: usize): i32 {
  for (let left = 4096; left > 0; left -= 64, page += 64) {
    const some = v128.or(
      v128.or(v128.load(page), v128.load(page, 16)),
      v128.or(v128.load(page, 32), v128.load(page, 48)),
    );
    if (v128.any_true(some)) return 0;
  }
  return 1;
}

/** Moves bytes; the ranges may overlap. */
export function moveBytes(to: usize, from: usize, byteCount: usize): void {
  memory.copy(to, from, byteCount);
}

/** Makes bytes zero. */
export function clearBytes(at: usize, byteCount: usize): void {
  memory.fill(at, 0, byteCount);
}
