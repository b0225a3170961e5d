// Samples that are told while a guest runs: fewer than are taken, a few at a time; and the other end, which keeps them.
// Pure. Rows are as samples.ts says; what a peer tells is looked at before it is kept.
import {
  resumeRowsOf,
  SENT_SAMPLE_DOUBLES_MAX,
  sampleStride,
  TOLD_DOUBLES_MAX,
  type GuestSample,
} from './samples.js';

/** Between two rows that are told: finer than anybody looks, and 64 vCPUs take no more than 21 KB a second. */
export const TOLD_INTERVAL_MS = 50;

/** So many rows are told at once. */
export const TOLD_ROWS = 4;

/** So many of those just after a resume, as far as they fit: a few messages, and soon. */
const TOLD_RESUME_ROWS = 20;

/**
 * Picks the rows to tell out of those that are taken: all of those just after the resume, then some; each has the longest
 * stall of all since the one before.
 */
export class SampleTeller {
  readonly #stride: number;
  #resumeRowsLeft: number;
  #row: Float64Array | undefined;
  #toldAtUs = -Infinity;
  #batch: number[] = [];

  /** `resumeRows`: so many rows are told whole, at the beginning. */
  constructor(vcpus: number, resumeRows = 0) {
    this.#stride = sampleStride(vcpus);
    this.#resumeRowsLeft = resumeRows;
  }

  /** Takes a row; answers rows to be told when there are enough of them. */
  note(row: Float64Array): Float64Array | undefined {
    const next = row.slice();
    if (this.#resumeRowsLeft > 0) {
      this.#resumeRowsLeft--;
      const atOnce = Math.min(TOLD_RESUME_ROWS, Math.floor(TOLD_DOUBLES_MAX / this.#stride));
      return this.#tell(next, this.#resumeRowsLeft === 0 ? 1 : atOnce);
    }
    if (this.#row !== undefined) keepLongerStalls(next, this.#row);
    if (next[0]! - this.#toldAtUs < TOLD_INTERVAL_MS * 1000) {
      this.#row = next;
      return undefined;
    }
    this.#row = undefined;
    return this.#tell(next, TOLD_ROWS);
  }

  #tell(row: Float64Array, atOnce: number): Float64Array | undefined {
    this.#toldAtUs = row[0]!;
    this.#batch.push(...row);
    if (this.#batch.length < atOnce * this.#stride) return undefined;
    const told = Float64Array.from(this.#batch);
    this.#batch = [];
    return told;
  }
}

/** Rows that a peer told, in order; when there are too many every other one is dropped, but for the first. */
export class ToldSamples {
  readonly #stride: number;
  readonly #rowsMax: number;
  readonly #resumeRows: number;
  #rows: Float64Array[] = [];
  #fresh: Float64Array[] = [];

  constructor(vcpus: number, doublesMax = SENT_SAMPLE_DOUBLES_MAX) {
    this.#stride = sampleStride(vcpus);
    this.#rowsMax = Math.floor(doublesMax / this.#stride / 2) * 2;
    this.#resumeRows = resumeRowsOf(vcpus, doublesMax);
  }

  /** Keeps `samples`, or nothing of them when they make no sense after what was told before; answers whether it did. */
  note(samples: Float64Array): boolean {
    const rows = rowsOf(samples, this.#stride);
    if (rows === undefined) return false;
    const [first] = rows;
    const last = this.#rows.at(-1);
    if (first !== undefined && last !== undefined && !follows(last, first)) return false;
    for (const row of rows) this.#keep(row);
    return true;
  }

  /** All that is kept, as one list of rows. */
  get all(): Float64Array {
    const all = new Float64Array(this.#rows.length * this.#stride);
    for (const [at, row] of this.#rows.entries()) all.set(row, at * this.#stride);
    return all;
  }

  /** What came since the last time that this was asked, of a bounded past. */
  takeFresh(): Float64Array[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  #keep(row: Float64Array): void {
    this.#rows.push(row);
    this.#fresh = [...this.#fresh, row].slice(-FRESH_ROWS_MAX);
    if (this.#rows.length < this.#rowsMax) return;
    this.#rows = this.#rows.filter((one, at) => {
      if (at < this.#resumeRows) return true;
      const before = this.#rows[at - 1];
      if (at % 2 === 1 && before !== undefined) keepLongerStalls(one, before);
      return at % 2 === 1;
    });
  }
}

/** Rows that nobody asks for: ten seconds of them are enough for whoever looks next. */
const FRESH_ROWS_MAX = 200;

/** Whether samples of a peer are whole rows of numbers that can be counts and instants, each after the one before. */
export function areSensible(samples: Float64Array, vcpus: number): boolean {
  return rowsOf(samples, sampleStride(vcpus)) !== undefined;
}

function rowsOf(samples: Float64Array, stride: number): Float64Array[] | undefined {
  if (samples.length % stride !== 0) return undefined;
  const rows = Array.from({ length: samples.length / stride }, (_, at) =>
    samples.slice(at * stride, (at + 1) * stride),
  );
  const isSensible = rows.every(
    (row, at) =>
      row.every((value) => value >= 0 && value <= Number.MAX_SAFE_INTEGER) &&
      (at === 0 || follows(rows[at - 1]!, row)),
  );
  return isSensible ? rows : undefined;
}

// Time goes on, and what was written stays written.
function follows(before: Float64Array, row: Float64Array): boolean {
  if (!(row[0]! > before[0]!)) return false;
  for (let work = 1; work < row.length; work += 2) if (row[work]! < before[work]!) return false;
  return true;
}

function keepLongerStalls(row: Float64Array, other: Float64Array): void {
  for (let stall = 2; stall < row.length; stall += 2) row[stall] = Math.max(row[stall]!, other[stall]!);
}

/** A row as a sample of all vCPUs together, on a clock that the row's is `aheadUs` ahead of. */
export function guestSampleOf(row: Float64Array, aheadUs: number): GuestSample {
  let pages = 0;
  let longestStallUs = 0;
  for (let work = 1; work < row.length; work += 2) {
    pages += row[work]!;
    longestStallUs = Math.max(longestStallUs, row[work + 1]!);
  }
  return { atUs: row[0]! - aheadUs, pages, longestStallUs };
}
