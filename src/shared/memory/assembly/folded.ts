// Ascending numbers, folded: the low bits of each, then how far the rest goes up as unary numbers (Elias and Fano).
// Knows numbers and bits; what they count is packing.ts.
import { foldedBits, lowBitsOf } from './plan';

/**
 * Writes the `count` numbers at `numbers`, ascending and up to `last`, at bit `bit` of `base`, behind which nothing counts.
 * Answers the bit behind them; the rest of its byte is 0.
 */
export function writeFolded(numbers: usize, count: u32, last: u32, base: usize, bit: u32): u32 {
  if (count == 0) return bit;
  const shift = lowBitsOf(count, last);
  const mask = ((<u64>1) << shift) - 1;
  const end = bit + foldedBits(count, last);
  let high = bit + count * shift;
  clearBitsBehind(base, bit, end);
  let to = base + (bit >>> 3);
  let filled = bit & 7;
  let pending: u64 = load<u8>(to);
  let marksAt = base + ((high >>> 6) << 3);
  let marks: u64 = 0;
  const past = numbers + 4 * <usize>count;
  for (let at = numbers; at < past; at += 4, high++) {
    const number = load<u32>(at);
    pending |= ((<u64>number) & mask) << filled;
    filled += shift;
    if (filled >= 32) {
      store<u32>(to, load<u32>(to) | (<u32>pending));
      pending >>>= 32;
      filled -= 32;
      to += 4;
    }
    const mark = high + (number >>> shift);
    const markAt = base + ((mark >>> 6) << 3);
    if (markAt != marksAt) {
      store<u64>(marksAt, load<u64>(marksAt) | marks);
      marksAt = markAt;
      marks = 0;
    }
    marks |= (<u64>1) << (mark & 63);
  }
  store<u64>(marksAt, load<u64>(marksAt) | marks);
  for (; filled > 0; filled = filled > 8 ? filled - 8 : 0, pending >>>= 8) {
    store<u8>(to, load<u8>(to) | (<u8>pending));
    to++;
  }
  return end;
}

// Keeps the bits of its first byte that are below `bit`.
function clearBitsBehind(base: usize, bit: u32, end: u32): void {
  const first = base + (bit >>> 3);
  const kept = (bit & 7) == 0 ? 0 : load<u8>(first);
  memory.fill(first, 0, ((end + 7) >>> 3) - (bit >>> 3));
  store<u8>(first, kept);
}

/** What `readFolded` answers where the numbers are wrong. */
export const CUT_SHORT: u32 = 0xffff_fff1;
export const NOT_ASCENDING: u32 = 0xffff_fff2;
export const NOT_SO_MANY: u32 = 0xffff_fff3;
export const WRONG_MIN: u32 = CUT_SHORT;

/**
 * Reads `count` numbers, ascending and up to `last`, from bit `bit` of `base` to `to`. `bits`: how many there are from
 * `base` on; behind them lie eight bytes more. Answers the bit behind them, or what is wrong.
 */
export function readFolded(count: u32, last: u32, base: usize, bit: u32, bits: u32, to: usize): u32 {
  if (count == 0) return bit;
  const shift = lowBitsOf(count, last);
  const end = bit + foldedBits(count, last);
  if (end > bits) return CUT_SHORT;
  const mask: u32 = (1 << shift) - 1;
  let low = bit;
  const high = bit + count * shift;
  // The marks, 64 at a time; `first` is what the lowest bit of `marks` counts as, less the marks before it.
  let from = base + (high >>> 3);
  let marks = load<u64>(from) & ((<u64>-1) << (high & 7));
  let first: u32 = 0 - (high & 7);
  const past = base + ((end + 7) >>> 3);
  let before: u32 = 0;
  for (let nth: u32 = 0; nth < count; nth++, low += shift) {
    while (marks == 0) {
      from += 8;
      if (from >= past) return NOT_SO_MANY;
      marks = load<u64>(from);
      first += 64;
    }
    const rest = first + <u32>ctz(marks) - nth;
    marks &= marks - 1;
    const number = (rest << shift) | ((<u32>(load<u64>(base + (low >>> 3)) >>> (low & 7))) & mask);
    if (number < before) return NOT_ASCENDING;
    before = number;
    store<u32>(to, number);
    to += 4;
  }
  return before > last ? NOT_SO_MANY : noMoreMarks(marks, from, base, end);
}

// Nothing may be marked behind the last number's mark.
function noMoreMarks(marks: u64, from: usize, base: usize, end: u32): u32 {
  const last = base + (end >>> 3);
  while (from + 8 <= last) {
    if (marks != 0) return NOT_SO_MANY;
    from += 8;
    marks = load<u64>(from);
  }
  const left = end - 8 * <u32>(from - base);
  return (marks & (((<u64>1) << left) - 1)) == 0 ? end : NOT_SO_MANY;
}
