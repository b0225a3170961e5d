// The loops over bitmaps and their run lengths, in AssemblyScript; `npm run kernels` compiles them.
// Knows addresses in a memory of its own, which one thread uses; the format is in docs/protocol.md.

/** Set bits of `longs` words of 64. */
export function countBits(bits: usize, longs: u32): u32 {
  let total: u64 = 0;
  for (let end = bits + ((<usize>longs) << 3); bits < end; bits += 8) total += popcnt(load<u64>(bits));
  return <u32>total;
}

/** Bits that differ from the one before them, with a clear bit before the first and one after the last. */
export function countEdges(bits: usize, longs: u32): u32 {
  let total: u64 = 0;
  let before: u64 = 0;
  for (let end = bits + ((<usize>longs) << 3); bits < end; bits += 8) {
    const word = load<u64>(bits);
    total += popcnt(word ^ ((word << 1) | before));
    before = word >>> 63;
  }
  return <u32>(total + before);
}

/** Writes the distance from edge to edge as LEB128 numbers at `to`, and answers where they end. */
export function writeRuns(bits: usize, longs: u32, to: usize): usize {
  let edge: u32 = 0;
  let before: u64 = 0;
  const pages = longs << 6;
  for (let first: u32 = 0; first < pages; first += 64, bits += 8) {
    const word = load<u64>(bits);
    let edges = word ^ ((word << 1) | before);
    before = word >>> 63;
    while (edges != 0) {
      const next = first + <u32>ctz(edges);
      edges &= edges - 1;
      to = writeNumber(to, next - edge);
      edge = next;
    }
  }
  return before == 0 ? to : writeNumber(to, pages - edge);
}

function writeNumber(to: usize, value: u32): usize {
  while (value >= 0x80) {
    store<u8>(to++, <u8>(value | 0x80));
    value >>>= 7;
  }
  store<u8>(to, <u8>value);
  return to + 1;
}

/** What is wrong with runs; the TypeScript side has the sentences. */
const CUT_SHORT: u32 = 1;
const NOT_SHORTEST: u32 = 2;
const PAST_END: u32 = 3;
const TOO_LONG: u32 = 4;
const EMPTY_CLEAR: u32 = 5;
const EMPTY_SET: u32 = 6;

/**
 * Clears the `longs` words of 64 at `bits` and sets the runs that lie at [from, end) in them, all below bit `pages`. Answers 0, or what was wrong
 * and, times 8, in which number: how far from `from` it begins.
 */
export function readRuns(from: usize, end: usize, bits: usize, longs: u32, pages: u32): u32 {
  memory.fill(bits, 0, (<usize>longs) << 3);
  let at = from;
  let page: u32 = 0;
  let isSet = false;
  // A clear run that nothing follows would be one more form of the same set.
  while (at < end || isSet) {
    const start = at;
    let value: u64 = 0;
    let shift: u32 = 0;
    let byte: u32 = 0;
    do {
      if (shift == 35) return problem(TOO_LONG, start - from);
      if (at == end) return problem(CUT_SHORT, start - from);
      byte = load<u8>(at++);
      value |= (<u64>(byte & 0x7f)) << shift;
      shift += 7;
    } while (byte >= 0x80);
    if (byte == 0 && shift > 7) return problem(NOT_SHORTEST, start - from);
    if (value > pages - page) return problem(PAST_END, start - from);
    if (value == 0 && isSet) return problem(EMPTY_SET, start - from);
    if (value == 0 && start != from) return problem(EMPTY_CLEAR, start - from);
    if (isSet) setBits(bits, page, page + <u32>value);
    page += <u32>value;
    isSet = !isSet;
  }
  return 0;
}

function problem(what: u32, at: usize): u32 {
  return what | ((<u32>at) << 3);
}

// Sets bits [first, pastLast), a word at a time in the middle.
function setBits(bits: usize, first: u32, pastLast: u32): void {
  let word = bits + ((first >>> 5) << 2);
  const lastWord = bits + (((pastLast - 1) >>> 5) << 2);
  const tail: u32 = (<u32>-1) >>> (31 - ((pastLast - 1) & 31));
  let mask: u32 = (<u32>-1) << (first & 31);
  for (; word < lastWord; word += 4) {
    store<u32>(word, load<u32>(word) | mask);
    mask = <u32>-1;
  }
  store<u32>(word, load<u32>(word) | (mask & tail));
}
