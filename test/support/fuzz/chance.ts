// Chance for the fuzzing tests: each input has a seed of its own, so that one alone can be tried again.
// Knows seeds and counts; what an input is, is the tests' business.
import { randomFrom } from '../bitmaps.js';

/** FUZZ_COUNT=n tries so many inputs of each target, FUZZ_SEED=n begins at that input: with FUZZ_COUNT=1 it is tried alone. */
const isLong = process.env['MICROSTUN_TESTS'] === 'long';
const countAsked = process.env['FUZZ_COUNT'];
const seedAsked = process.env['FUZZ_SEED'];
export const firstSeed = seedAsked === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(seedAsked);

/** Whether more than the everyday inputs are asked for. */
export const isWide = isLong || countAsked !== undefined;

/** How many inputs a target is given: what its everyday count is, and how many times that for the long tests. */
export function countOf(everyday: number, timesForLong = 10): number {
  if (countAsked !== undefined) return Number(countAsked);
  return isLong ? everyday * timesForLong : everyday;
}

export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    // Neighbours in number are none in what they draw.
    const random = randomFrom(Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) >>> 0);
    random();
    this.#random = random;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  isOneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** The most that an input is shown of. */
const SHOWN_BYTES_MAX = 2000;

/**
 * Gives `count` inputs to `attempt`, which answers the bytes of the one that it tried, or throws because of it. What is
 * thrown names the seed of that input.
 */
export function tryInputs(
  what: string,
  count: number,
  attempt: (chance: Chance, tried: (input: Uint8Array) => void) => void,
): void {
  // Said first: an input that hangs says nothing after.
  process.stderr.write(`fuzzing ${what}: FUZZ_SEED=${firstSeed} FUZZ_COUNT=${count}\n`);
  for (let nth = 0; nth < count; nth++) {
    let input: Uint8Array | undefined;
    try {
      attempt(new Chance(firstSeed + nth), (bytes) => {
        input = bytes;
      });
    } catch (error) {
      const shown =
        input === undefined
          ? ''
          : Buffer.from(input)
              .toString('hex')
              .slice(0, 2 * SHOWN_BYTES_MAX);
      throw new Error(
        `${what} fails: FUZZ_SEED=${firstSeed + nth} FUZZ_COUNT=1${shown === '' ? '' : ` (${shown})`}`,
        { cause: error },
      );
    }
  }
}
