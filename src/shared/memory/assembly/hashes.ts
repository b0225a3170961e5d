// The hash of a page's bytes, in place, in AssemblyScript; `npm run kernels` compiles it.
// Knows addresses only; what a hash is compared with, and what that proves, is docs/decisions/0032-verify.md.

const KEY_STEP_A: i32 = 0x2545f491;
const KEY_STEP_B: i32 = 0x4c957f2d;
/** What would be the hash of a page of zeros, so that it is 0. */
const ZERO_PAGE: u64 = 0x93ff0be368d1adcb;
const MIX_A: u64 = 0xff51afd7ed558ccd;
const MIX_B: u64 = 0xc4ceb9fe1a85ec53;

function mix(hash: u64, lane: u64): u64 {
  let mixed = (hash ^ lane) * MIX_A;
  mixed ^= mixed >> 32;
  mixed *= MIX_B;
  return mixed ^ (mixed >> 29);
}

function mixBoth(hash: u64, lanes: v128): u64 {
  return mix(mix(hash, v128.extract_lane<u64>(lanes, 0)), v128.extract_lane<u64>(lanes, 1));
}

/**
 * A hash of 64 bits of the 4096 bytes of a page. Words are multiplied with their neighbours, both under keys that change
 * with their place, and the products added up; and so are the words themselves, so that a product with zero hides none.
 */
export function hashPage(page: usize): u64 {
  const stepA = i32x4.splat(KEY_STEP_A);
  const stepB = i32x4.splat(KEY_STEP_B);
  let keyA = i32x4(0x1b873593, 0x38495ab5, 0x7ed55d16, 0x165667b1);
  let keyB = i32x4(0x52dce729, 0x68e31da4, 0x2127599b, 0x3c6ef372);
  let low = i64x2.splat(0);
  let high = i64x2.splat(0);
  let sumA = i64x2.splat(0);
  let sumB = i64x2.splat(0);
  for (let left = 4096; left > 0; left -= 32, page += 32) {
    const a = v128.load(page);
    const b = v128.load(page, 16);
    const keyedA = i32x4.add(a, keyA);
    const keyedB = i32x4.add(b, keyB);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_u(keyedA, keyedB));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_u(keyedA, keyedB));
    sumA = i64x2.add(sumA, a);
    sumB = i64x2.add(sumB, b);
    keyA = i32x4.add(keyA, stepA);
    keyB = i32x4.add(keyB, stepB);
  }
  return ZERO_PAGE ^ mixBoth(mixBoth(mixBoth(mixBoth(0, low), high), sumA), sumB);
}

/** The hashes of `count` pages from one on, each mixed into what `fold` holds of those before. */
export function foldPages(page: usize, count: u32, fold: u64): u64 {
  for (; count > 0; count--, page += 4096) fold = mix(fold, hashPage(page));
  return fold;
}
