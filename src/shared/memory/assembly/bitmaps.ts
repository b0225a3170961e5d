// Counts over bitmaps, and the way in to the packing of their blocks, in AssemblyScript; `npm run kernels` compiles them.
// Knows addresses in a memory of its own, which one thread uses; the format is in docs/protocol.md.
export { packBlock } from './packing';
export { planBlock } from './plan';
export { PACKED } from './room';
export { problemAt, problemOf, unpackBlock } from './unpacking';

/** Set bits of `longs` words of 64. */
export function countBits(bits: usize, longs: u32): u32 {
  let total: u64 = 0;
  for (let end = bits + ((<usize>longs) << 3); bits < end; bits += 8) total += popcnt(load<u64>(bits));
  return <u32>total;
}

/** Bits that differ from the one before them, `before` the first one; what follows the last is not looked at. */
export function countEdges(bits: usize, longs: u32, before: u32): u32 {
  let total: u64 = 0;
  let last: u64 = before;
  for (let end = bits + ((<usize>longs) << 3); bits < end; bits += 8) {
    const word = load<u64>(bits);
    total += popcnt(word ^ ((word << 1) | last));
    last = word >>> 63;
  }
  return <u32>total;
}
