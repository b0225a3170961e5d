// Small, seedable randomness for guests and tests: pure functions over 32-bit states.
// Not for anything that must be hard to guess.

/** Next state of a 32-bit generator (xorshift32, Marsaglia 2003); never 0 for a state that is not 0. */
export function nextRandom(state: number): number {
  let x = state | 0;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x >>> 0;
}

/** A 32-bit hash of a word (the finalizer of MurmurHash3); a bijection. */
export function mix32(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A first state for stream `stream` of `seed`. */
export function seedRandom(seed: number, stream: number): number {
  return mix32(mix32(seed) + Math.imul(stream + 1, 0x9e3779b1)) || 1;
}

/** A whole number in [0, count) from a 32-bit random word. */
export function below(word: number, count: number): number {
  return Math.floor((word / 0x1_0000_0000) * count);
}
