// The store path: loops over guest memory through its door, against the same loops over a bare typed array.
// This file is also the process that measures: `node store.js RUNS [segments]`, with segments a guest of 24 TiB that lies in
// them, far from its beginning. Loops are functions of the module over constants of the module, in short slices, as V8 sees a guest's; each has one call
// site. (A loop that is entered a few dozen times stays in code that V8 made for the middle of it, which on Node 24 is twice
// as slow; no guest's slice does.)
import { fileURLToPath } from 'node:url';
import { createGuestMemory } from '../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../src/shared/memory/layout.js';
import { REGION_BYTES } from '../src/shared/memory/pages.js';
import { median } from './statistics.js';

const MEMORY_BYTES = 16 * 1024 ** 2;
const WORDS = MEMORY_BYTES / 4;
const DOUBLES = MEMORY_BYTES / 8;
const RUNS = 41;
const WARM_UPS = 8;

const IS_IN_SEGMENTS = process.argv[3] === 'segments';
const TIB = 1024 ** 4;
/** Where the loops are in guest memory; a multiple of a region. */
const BASE = IS_IN_SEGMENTS ? 12 * TIB : 0;

const views = viewMemory(allocateMemory(IS_IN_SEGMENTS ? 24 * TIB : MEMORY_BYTES));
const memory = createGuestMemory(views, {
  pageFires: 0,
  waitForPage: () => {
    throw new Error('every page is here');
  },
});
// The very same bytes: caches and page tables of the host are the same for both. Regions in segments lie in the order in
// which they are touched, from the first slot on.
for (let at = 0; at < MEMORY_BYTES; at += REGION_BYTES) memory.store32(BASE + at, 1);
const { buffer } = views.segments[0]!;
const pagesOffset = views.segments[0]!.pagesOffset + views.regions.first * REGION_BYTES;
const words = new Int32Array(buffer, pagesOffset, WORDS);
const doubles = new Float64Array(buffer, pagesOffset, DOUBLES);
const order = shuffled(WORDS);
if (words[REGION_BYTES / 4] !== 1) throw new Error('the bare array is not where the guest stores');

/** Takes what loops compute, so that none of them is optimized away. */
let sink = 0;

/** Operations of a slice: microseconds. */
const SLICE = 4096;

function storeWordsGuest(from: number): void {
  const first = from | 0;
  for (let i = 0; i < SLICE; i++) memory.store32(BASE + ((first + i) << 2), i);
}
function storeWordsBare(from: number): void {
  const first = from | 0;
  for (let i = 0; i < SLICE; i++) words[first + i] = i;
}
function loadWordsGuest(from: number): void {
  const first = from | 0;
  let sum = 0;
  for (let i = 0; i < SLICE; i++) sum = (sum + memory.load32(BASE + ((first + i) << 2))) | 0;
  sink ^= sum;
}
function loadWordsBare(from: number): void {
  const first = from | 0;
  let sum = 0;
  for (let i = 0; i < SLICE; i++) sum = (sum + words[first + i]!) | 0;
  sink ^= sum;
}
function storeDoublesGuest(from: number): void {
  const first = from | 0;
  for (let i = 0; i < SLICE; i++) memory.storeF64(BASE + ((first + i) << 3), i);
}
function storeDoublesBare(from: number): void {
  const first = from | 0;
  for (let i = 0; i < SLICE; i++) doubles[first + i] = i;
}
function storeRandomGuest(from: number): void {
  const first = from | 0;
  for (let i = 0; i < SLICE; i++) memory.store32(BASE + (order[first + i]! << 2), i);
}
function storeRandomBare(from: number): void {
  const first = from | 0;
  for (let i = 0; i < SLICE; i++) words[order[first + i]!] = i;
}
function loadRandomGuest(from: number): void {
  const first = from | 0;
  let sum = 0;
  for (let i = 0; i < SLICE; i++) sum = (sum + memory.load32(BASE + (order[first + i]! << 2))) | 0;
  sink ^= sum;
}
function loadRandomBare(from: number): void {
  const first = from | 0;
  let sum = 0;
  for (let i = 0; i < SLICE; i++) sum = (sum + words[order[first + i]!]!) | 0;
  sink ^= sum;
}

interface Contest {
  readonly name: string;
  readonly operations: number;
  /** A slice from this operation on. */
  readonly guest: (from: number) => void;
  readonly bare: (from: number) => void;
}

const contests: readonly Contest[] = [
  { name: 'store32, sequential', operations: WORDS, guest: storeWordsGuest, bare: storeWordsBare },
  { name: 'load32, sequential', operations: WORDS, guest: loadWordsGuest, bare: loadWordsBare },
  { name: 'storeF64, sequential', operations: DOUBLES, guest: storeDoublesGuest, bare: storeDoublesBare },
  { name: 'store32, random', operations: WORDS, guest: storeRandomGuest, bare: storeRandomBare },
  { name: 'load32, random', operations: WORDS, guest: loadRandomGuest, bare: loadRandomBare },
];

export interface StoreFigures {
  readonly memoryBytes: number;
  readonly runs: number;
  readonly loops: readonly {
    readonly name: string;
    /** Nanoseconds an operation, medians. */
    readonly guestNs: number;
    readonly bareNs: number;
    /** Of the medians: 1 is as fast as the bare array. */
    readonly ratio: number;
  }[];
}

export function benchStore(runs = RUNS): StoreFigures {
  return { memoryBytes: MEMORY_BYTES, runs, loops: contests.map((contest) => hold(contest, runs)) };
}

function hold({ name, operations, guest, bare }: Contest, runs: number): StoreFigures['loops'][number] {
  for (let run = 0; run < WARM_UPS; run++) {
    timeNs(guest, operations);
    timeNs(bare, operations);
  }
  const guestNs: number[] = [];
  const bareNs: number[] = [];
  for (let run = 0; run < runs; run++) {
    guestNs.push(timeNs(guest, operations) / operations);
    bareNs.push(timeNs(bare, operations) / operations);
  }
  const [guestMedian, bareMedian] = [median(guestNs), median(bareNs)];
  return { name, guestNs: guestMedian, bareNs: bareMedian, ratio: guestMedian / bareMedian };
}

function timeNs(slice: (from: number) => void, operations: number): number {
  const startedAt = performance.now();
  for (let from = 0; from < operations; from += SLICE) slice(from);
  return (performance.now() - startedAt) * 1e6;
}

// Fisher and Yates, with a generator of its own so that every run meets the same order.
function shuffled(count: number): Int32Array {
  const result = Int32Array.from({ length: count }, (_, index) => index);
  let state = 1;
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 0x1_0000_0000) * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

/** What the loops computed; printing it keeps them honest. */
export function storeSink(): number {
  return sink;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [runs = ''] = process.argv.slice(2);
  const figures = benchStore(runs === '' ? undefined : Number(runs));
  // The sink keeps the loops honest.
  process.stdout.write(JSON.stringify({ node: process.version, figures, sink: storeSink() }));
}
