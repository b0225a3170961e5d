// Where the pages that a guest writes lie in its address space: all over it, or scattered over it in chunks.
// Knows sizes and a seed; no memory, and no guest program.
import { PAGE_BYTES, REGION_BYTES, REGION_PAGES, REGION_PAGE_SHIFT } from '../../memory/pages.js';
import { residentBytesOf, type GuestSpec } from '../guest-program.js';
import { below, seedRandom } from './random.js';

/** Keeps the places apart from what else is made of a guest's seed. */
const STREAM = 0x706c6163;

/** The resident set of a guest: its pages, numbered from 0 without gaps, and where each of them lies. */
export interface PagePlaces {
  /** Pages of the resident set. */
  readonly pageCount: number;
  /** Where each chunk of REGION_PAGES resident pages begins, ascending; empty when all of memory is resident. */
  readonly chunkGpas: Float64Array;
  /** The gpa of resident page `page`. */
  readonly gpaOf: (page: number) => number;
  /** Whether the page at `gpa` is of the resident set. */
  readonly holds: (gpa: number) => boolean;
}

/** Where the resident pages of `spec` lie. */
export function placesOf(spec: GuestSpec): PagePlaces {
  const { memoryBytes, seed } = spec;
  const residentBytes = residentBytesOf(spec);
  return residentBytes === memoryBytes
    ? placesAllOver(memoryBytes)
    : scatteredPlaces(memoryBytes, residentBytes, seed);
}

function placesAllOver(memoryBytes: number): PagePlaces {
  return {
    pageCount: memoryBytes / PAGE_BYTES,
    chunkGpas: new Float64Array(0),
    gpaOf: (page) => page * PAGE_BYTES,
    holds: (gpa) => gpa < memoryBytes,
  };
}

/**
 * Stratified: the address space is cut into as many even strata as there are chunks, and each chunk lies at a seeded
 * region of its own. So chunks never collide, they ascend, a page's chunk is found without a search, and no large
 * part of the address space is left out, whatever the seed. The first region and the last one are always taken.
 * A gpa is a double here: above 4 GiB there is nothing that a bit operation would not cut off.
 */
function scatteredPlaces(memoryBytes: number, residentBytes: number, seed: number): PagePlaces {
  const chunks = residentBytes / REGION_BYTES;
  const regions = memoryBytes / REGION_BYTES;
  const narrowRegions = Math.floor(regions / chunks);
  // So many strata, the first ones, are a region wider than the others.
  const wideStrata = regions % chunks;
  const firstNarrowRegion = wideStrata * (narrowRegions + 1);
  const chunkGpas = new Float64Array(chunks);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const first = chunk * narrowRegions + Math.min(chunk, wideStrata);
    const regionsHere = narrowRegions + (chunk < wideStrata ? 1 : 0);
    let offset = below(seedRandom(seed ^ STREAM, chunk), regionsHere);
    if (chunks > 1 && chunk === 0) offset = 0;
    if (chunks > 1 && chunk === chunks - 1) offset = regionsHere - 1;
    chunkGpas[chunk] = (first + offset) * REGION_BYTES;
  }
  return {
    pageCount: residentBytes / PAGE_BYTES,
    chunkGpas,
    gpaOf: (page) => chunkGpas[page >>> REGION_PAGE_SHIFT]! + (page & (REGION_PAGES - 1)) * PAGE_BYTES,
    holds(gpa) {
      const region = Math.floor(gpa / REGION_BYTES);
      const chunk =
        region < firstNarrowRegion
          ? Math.floor(region / (narrowRegions + 1))
          : wideStrata + Math.floor((region - firstNarrowRegion) / narrowRegions);
      return chunkGpas[chunk] === region * REGION_BYTES;
    },
  };
}
