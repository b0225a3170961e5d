// Guests that write pages: uniform, hot set, sequential, Zipfian. Each write can be audited.
// Every vCPU has its own words in every page, so all of them dirty the same pages and none waits for another.
// A page is its number in the resident set throughout; where it lies is page-places.ts's.
import { PAGE_BYTES } from '../../memory/pages.js';
import type { AuditResult, GuestFactory, GuestSpec, Machine, Vcpu } from '../guest-program.js';
import { Audit } from './audit.js';
import { paceFor } from './pacing.js';
import { fillPattern, WORDS_PER_PAGE } from './pattern.js';
import { placesOf, type PagePlaces } from './page-places.js';
import { below, mix32, nextRandom, seedRandom } from './random.js';
import { spotCheck } from './spot-check.js';

// Registers.
const RANDOM = 0;
const CURSOR = 1;
/** Sum (mod 2^32) of the stamp of every page at its newest count: what memory must add up to. */
const STAMP_SUM = 2;
const DUE = 3;

/** A page write stores a count and three words made from it, each a quarter of a page apart, so a tear shows. */
const STAMP_WORDS = 4;
const STAMP_STRIDE_WORDS = WORDS_PER_PAGE / STAMP_WORDS;
const BATCH_MAX = 64;

/** Answers the resident page to write next; may use the RANDOM and CURSOR registers through its arguments. */
type Chooser = (random: number, cursor: number) => number;

function stampWord(count: number, page: number, vcpu: number, index: number): number {
  return count === 0
    ? 0
    : mix32(count + Math.imul(page, 0x9e3779b1) + Math.imul(vcpu * STAMP_WORDS + index, 0x85ebca77)) | 0;
}

function pageWriter(spec: GuestSpec, places: PagePlaces, chooser: Chooser): ReturnType<GuestFactory> {
  const { vcpus, seed } = spec;
  const { pageCount } = places;
  const pace = paceFor(spec, BATCH_MAX, DUE);
  return {
    boot({ memory, registers }) {
      const words = new Int32Array(WORDS_PER_PAGE);
      const bytes = new Uint8Array(words.buffer);
      for (let page = 0; page < pageCount; page++) {
        fillBackground(words, page, spec);
        memory.write(places.gpaOf(page), bytes);
      }
      registers.forEach((values, vcpu) => {
        values[RANDOM] = seedRandom(seed, vcpu);
        values[CURSOR] = Math.floor((pageCount / vcpus) * vcpu);
      });
    },
    runSlice(vcpu) {
      if (pace.mayRun(vcpu)) writePages(vcpu, places, pace.batch, chooser);
    },
    audit: (machine) => auditPages(machine, spec, places),
  };
}

function writePages(vcpu: Vcpu, { pageCount, gpaOf }: PagePlaces, batch: number, chooser: Chooser): void {
  const { memory, registers, id } = vcpu;
  let random = registers[RANDOM]!;
  let cursor = registers[CURSOR]!;
  let sum = registers[STAMP_SUM]! | 0;
  for (let n = 0; n < batch; n++) {
    random = nextRandom(random);
    const page = chooser(random, cursor);
    cursor = cursor + 1 < pageCount ? cursor + 1 : 0;
    const gpa = gpaOf(page) + id * 4;
    const before = memory.load32(gpa);
    // A count wraps past 2^31 only after years of writing one page flat out.
    const count = before + 1;
    memory.store32(gpa, count);
    memory.store32(gpa + 1024, stampWord(count, page, id, 1));
    memory.store32(gpa + 2048, stampWord(count, page, id, 2));
    memory.store32(gpa + 3072, stampWord(count, page, id, 3));
    sum = (sum + stampWord(count, page, id, 0) - stampWord(before, page, id, 0)) | 0;
  }
  registers[RANDOM] = random;
  registers[CURSOR] = cursor;
  registers[STAMP_SUM] = sum;
  vcpu.countWork(batch);
}

// What a page holds besides stamps; the stamps' own words start at 0.
function fillBackground(words: Int32Array, page: number, { seed, vcpus }: GuestSpec): void {
  fillPattern(words, page, seed);
  for (let index = 0; index < STAMP_WORDS; index++) {
    words.fill(0, index * STAMP_STRIDE_WORDS, index * STAMP_STRIDE_WORDS + vcpus);
  }
}

/**
 * Each page: its background is untouched, and each vCPU's stamp is whole. All pages: the stamps add up to what each
 * vCPU's registers say, so a page that fell back to an older, whole stamp is found too. Beside them: spot-check.ts.
 */
function auditPages({ memory, registers }: Machine, spec: GuestSpec, places: PagePlaces): AuditResult {
  const audit = new Audit();
  const sums = new Int32Array(spec.vcpus);
  const expected = new Int32Array(WORDS_PER_PAGE);
  const actual = new Int32Array(WORDS_PER_PAGE);
  const actualBytes = new Uint8Array(actual.buffer);
  for (let page = 0; page < places.pageCount; page++) {
    const gpa = places.gpaOf(page);
    memory.read(gpa, actualBytes);
    fillBackground(expected, page, spec);
    for (let vcpu = 0; vcpu < spec.vcpus; vcpu++) {
      const count = actual[vcpu]!;
      sums[vcpu]! += stampWord(count, page, vcpu, 0);
      expected[vcpu] = count;
      for (let index = 1; index < STAMP_WORDS; index++) {
        expected[index * STAMP_STRIDE_WORDS + vcpu] = stampWord(count, page, vcpu, index);
      }
    }
    audit.comparePage(gpa / PAGE_BYTES, expected, actual);
  }
  for (let vcpu = 0; vcpu < spec.vcpus; vcpu++) {
    const said = registers[vcpu]![STAMP_SUM]! | 0;
    if (sums[vcpu] !== said) {
      audit.fail(
        `page writes of vCPU ${vcpu} were lost: memory adds up to ${sums[vcpu]}, its registers to ${said}`,
      );
    }
  }
  spotCheck(memory, places, spec.seed, audit);
  return audit.result();
}

/** Every page is as likely as any other. */
export const uniform: GuestFactory = (spec) => {
  const places = placesOf(spec);
  const { pageCount } = places;
  return pageWriter(spec, places, (random) => below(random, pageCount));
};

/** Nine writes in ten go to a tenth of the resident pages, in one piece; or all of them to as much as the spec says. */
export const hotSet: GuestFactory = (spec) => {
  const places = placesOf(spec);
  const { pageCount } = places;
  const told = Math.min(pageCount, spec.hotSetBytes / PAGE_BYTES);
  if (told > 0) {
    const first = Math.floor((pageCount - told) / 3);
    return pageWriter(spec, places, (random) => first + below(mix32(random), told));
  }
  const hotPages = Math.max(1, Math.floor(pageCount / 10));
  const firstHot = Math.floor((pageCount - hotPages) / 3);
  return pageWriter(spec, places, (random) => {
    // The low bits choose the set; the hash makes the page independent of them.
    const isHot = random % 10 !== 0;
    return isHot ? firstHot + below(mix32(random), hotPages) : below(mix32(random), pageCount);
  });
};

/** Page after page, round and round; each vCPU from its own starting point. */
export const sequential: GuestFactory = (spec) =>
  pageWriter(spec, placesOf(spec), (_random, cursor) => cursor);

/** Zipfian with the exponent that YCSB made customary; popular pages are scattered over memory. */
export const zipf: GuestFactory = (spec) => {
  const places = placesOf(spec);
  const { pageCount } = places;
  const rank = zipfRank(pageCount, 0.99);
  const stride = coprimeStride(pageCount);
  return pageWriter(spec, places, (random) => (rank(random / 0x1_0000_0000) * stride) % pageCount);
};

/** Inverse of the Zipfian distribution over `count` ranks: Gray et al., SIGMOD 1994, as YCSB uses it. */
function zipfRank(count: number, theta: number): (u: number) => number {
  let zeta = 0;
  for (let rank = 1; rank <= count; rank++) zeta += rank ** -theta;
  const zetaOfTwo = 1 + 2 ** -theta;
  const alpha = 1 / (1 - theta);
  const eta = count < 2 ? 0 : (1 - (2 / count) ** (1 - theta)) / (1 - zetaOfTwo / zeta);
  return (u) => {
    const uz = u * zeta;
    if (uz < 1 || count === 1) return 0;
    if (uz < zetaOfTwo || count === 2) return 1;
    return Math.min(count - 1, Math.floor(count * (eta * u - eta + 1) ** alpha));
  };
}

// A stride through `count` pages that visits each: near the golden section, and coprime to the count.
function coprimeStride(count: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let stride = Math.max(1, Math.floor(count * 0.618));
  while (gcd(stride, count) !== 1) stride++;
  return stride;
}
