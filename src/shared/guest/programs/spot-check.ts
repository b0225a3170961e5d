// The part of an audit that looks beside the resident set: pages there were never written, so they must be zero.
// Looks at some thousands of them, whatever the address space: a sample, and where a wrong address would have led.
import type { GuestMemory } from '../../memory/guest-memory.js';
import { PAGE_BYTES, REGION_BYTES } from '../../memory/pages.js';
import type { Audit } from './audit.js';
import type { PagePlaces } from './page-places.js';
import { WORDS_PER_PAGE } from './pattern.js';
import { nextRandom, seedRandom } from './random.js';

const SAMPLED_PAGES = 4096;
/** Keeps the sample apart from what else is made of a guest's seed. */
const STREAM = 0x73706f74;

/** Finds pages beside the resident set that are not zero; nothing to do when all of memory is resident. */
export function spotCheck(memory: GuestMemory, places: PagePlaces, seed: number, audit: Audit): void {
  if (places.chunkGpas.length === 0) return;
  const words = new Int32Array(WORDS_PER_PAGE);
  const bytes = new Uint8Array(words.buffer);
  for (const gpa of gpasBeside(places, memory.memoryBytes, seed)) {
    memory.read(gpa, bytes);
    audit.expectZeroPage(gpa / PAGE_BYTES, words);
  }
}

/**
 * Addresses of pages beside the resident set, each once: the page before and the page after each chunk, the page
 * where its address would lead if it were cut to 32 bits, the first page and the last of all, and a seeded sample.
 */
export function gpasBeside(places: PagePlaces, memoryBytes: number, seed: number): Set<number> {
  const gpas = new Set<number>();
  const add = (gpa: number): void => {
    if (gpa >= 0 && gpa < memoryBytes && !places.holds(gpa)) gpas.add(gpa);
  };
  add(0);
  add(memoryBytes - PAGE_BYTES);
  for (const gpa of places.chunkGpas) {
    add(gpa - PAGE_BYTES);
    add(gpa + REGION_BYTES);
    add(gpa % 2 ** 32);
  }
  let random = seedRandom(seed ^ STREAM, 0);
  for (let sample = 0; sample < SAMPLED_PAGES; sample++) {
    // More pages than 32 bits count: two words make a share of the whole.
    const high = (random = nextRandom(random));
    const low = (random = nextRandom(random));
    const share = (high + low / 2 ** 32) / 2 ** 32;
    add(Math.floor(Math.min(share, 1 - Number.EPSILON) * (memoryBytes / PAGE_BYTES)) * PAGE_BYTES);
  }
  return gpas;
}
