// The loops over a guest's page table and pages, in place, in AssemblyScript; `npm run kernels` compiles them.
// Knows addresses only; whose bytes they are, and why these accesses are enough, is docs/memory-model.md.

const TRACED: u32 = 1;

function equal16(entries: usize, all: v128): u32 {
  return <u32>i8x16.bitmask(i8x16.eq(v128.load(entries), all));
}

function presentOf32(entries: usize): u32 {
  const present = i8x16.splat(0);
  return equal16(entries, present) | (equal16(entries + 16, present) << 16);
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

// Sets the bit of each PRESENT of the 512 entries.
function readRegion(entries: usize, bits: usize): void {
  for (let end = entries + 512; entries < end; entries += 32, bits += 4) {
    const fired = presentOf32(entries);
    if (fired != 0) store<u32>(bits, load<u32>(bits) | fired);
  }
}

/** Reads each region whose summary byte is set, and clears that. Only of a parked guest: nobody sets one meanwhile. */
export function readFired(entries: usize, summary: usize, regions: u32, bits: usize): void {
  for (let end = summary + regions; summary < end; summary++, entries += 512, bits += 64) {
    if (load<u8>(summary) != 0 && atomic.xchg<u8>(summary, 0) != 0) readRegion(entries, bits);
  }
}

/** Adds the bits of `longs` words of 64 at `from` to those at `into`; answers how many were not there. */
export function addBits(from: usize, into: usize, longs: u32): u32 {
  let added: u64 = 0;
  for (let end = from + ((<usize>longs) << 3); from < end; from += 8, into += 8) {
    const before = load<u64>(into);
    const more = load<u64>(from) & ~before;
    if (more == 0) continue;
    added += popcnt(more);
    store<u64>(into, before | more);
  }
  return <u32>added;
}

/** Gives the entry of each bit of `words` words a state and touches no other; answers how many had another before. */
export function markPages(entries: usize, bits: usize, words: u32, state: u32): u32 {
  let marked: u32 = 0;
  for (let end = bits + ((<usize>words) << 2); bits < end; bits += 4, entries += 32) {
    let rest = load<u32>(bits);
    if (rest == 0) continue;
    if (rest == 0xffffffff) {
      const all = i8x16.splat(<u8>state);
      marked += 32 - popcnt(equal16(entries, all)) - popcnt(equal16(entries + 16, all));
      v128.store(entries, all);
      v128.store(entries, all, 16);
      continue;
    }
    do {
      const entry = entries + ctz(rest);
      marked += u32(load<u8>(entry) != state);
      store<u8>(entry, <u8>state);
      rest &= rest - 1;
    } while (rest != 0);
  }
  return marked;
}

/** Gives every entry that has state `before` the state `after`, and touches no other. A multiple of 16 is looked at. */
export function replaceState(entries: usize, end: usize, before: u32, after: u32): void {
  const all = i8x16.splat(<u8>before);
  for (; entries < end; entries += 16) {
    let found = equal16(entries, all);
    while (found != 0) {
      store<u8>(entries + ctz(found), <u8>after);
      found &= found - 1;
    }
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
