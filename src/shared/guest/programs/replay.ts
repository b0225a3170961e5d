// The deterministic guest: all of its memory after n steps can be computed again from the seed.
// Each vCPU owns every vcpus-th 64-byte line, so all of them write every page and no interleaving matters.
import { createGuestMemory, type GuestMemory } from '../../memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../memory/layout.js';
import { PAGE_BYTES, REGION_BYTES } from '../../memory/pages.js';
import {
  residentBytesOf,
  type AuditResult,
  type GuestFactory,
  type GuestSpec,
  type Machine,
} from '../guest-program.js';
import { Audit } from './audit.js';
import { paceFor } from './pacing.js';
import { fillPattern, WORDS_PER_PAGE } from './pattern.js';
import { placesOf, type PagePlaces } from './page-places.js';
import { below, mix32, nextRandom, seedRandom } from './random.js';
import { spotCheck } from './spot-check.js';

// Registers.
const RANDOM = 0;
const STEPS = 1;
const DUE = 2;

const LINE_BYTES = 64;
const LINES_PER_CHUNK = REGION_BYTES / LINE_BYTES;
const BATCH_MAX = 128;

/** The resident set in lines, numbered as its pages are. */
interface Lines {
  readonly lineCount: number;
  readonly gpaOfLine: (line: number) => number;
}

function linesOf({ pageCount, chunkGpas }: PagePlaces): Lines {
  return {
    lineCount: (pageCount * PAGE_BYTES) / LINE_BYTES,
    gpaOfLine:
      chunkGpas.length === 0
        ? (line) => line * LINE_BYTES
        : (line) => {
            const chunk = Math.floor(line / LINES_PER_CHUNK);
            return chunkGpas[chunk]! + (line - chunk * LINES_PER_CHUNK) * LINE_BYTES;
          },
  };
}

export const replay: GuestFactory = (spec) => {
  const pace = paceFor(spec, BATCH_MAX, DUE);
  const places = placesOf(spec);
  const lines = linesOf(places);
  return {
    boot(machine) {
      bootReplay(machine, places, spec.seed);
    },
    runSlice(vcpu) {
      if (!pace.mayRun(vcpu)) return;
      runSteps(vcpu.memory, vcpu.registers, lines, vcpu.id, spec.vcpus, pace.batch);
      vcpu.countWork(pace.batch);
    },
    audit: (machine) => auditReplay(machine, places, spec),
  };
};

function bootReplay({ memory, registers }: Machine, places: PagePlaces, seed: number): void {
  const words = new Int32Array(WORDS_PER_PAGE);
  const bytes = new Uint8Array(words.buffer);
  for (let page = 0; page < places.pageCount; page++) {
    fillPattern(words, page, seed);
    memory.write(places.gpaOf(page), bytes);
  }
  registers.forEach((values, vcpu) => {
    values[RANDOM] = seedRandom(seed, vcpu);
  });
}

/**
 * `steps` steps of one vCPU. Most read what they change, so a lost write also spoils what is made from it later;
 * every width, block moves and atomics take their turn.
 */
function runSteps(
  memory: GuestMemory,
  registers: Float64Array,
  { lineCount, gpaOfLine }: Lines,
  id: number,
  vcpus: number,
  steps: number,
): void {
  const lines = Math.floor((lineCount - id - 1) / vcpus) + 1;
  let random = registers[RANDOM]!;
  for (let step = 0; step < steps; step++) {
    random = nextRandom(random);
    const line = gpaOfLine(below(random, lines) * vcpus + id);
    const word = mix32(random);
    const gpa = line + (word & 0x38);
    switch (word >>> 28) {
      case 0:
        memory.store8(gpa + 3, memory.load8(gpa + 3) + word);
        break;
      case 1:
        memory.store16(gpa + 2, memory.load16(gpa + 2) ^ word);
        break;
      case 2:
        memory.storeF64(gpa, word);
        break;
      case 3:
        memory.fill(line, LINE_BYTES, word & 0xff);
        break;
      case 4:
        memory.atomicAdd32(gpa, word | 0);
        break;
      case 5:
        memory.move(line, line + 16, 32);
        break;
      case 6:
        memory.store64(gpa, memory.load64(gpa) * 3n + BigInt(word));
        break;
      default:
        memory.store32(gpa, Math.imul(memory.load32(gpa), 0x2545f491) + word);
    }
  }
  registers[RANDOM] = random;
  registers[STEPS]! += steps;
}

/**
 * Boots a second guest in private memory, runs every vCPU's steps there and compares all of memory and registers.
 * The second guest has the resident pages alone, one after the other: nothing that a step does depends on where.
 */
function auditReplay({ memory, registers }: Machine, places: PagePlaces, spec: GuestSpec): AuditResult {
  const audit = new Audit();
  const dense = { ...spec, memoryBytes: residentBytesOf(spec), residentBytes: 0 };
  const densePlaces = placesOf(dense);
  const denseLines = linesOf(densePlaces);
  const again: Machine = {
    memory: createGuestMemory(viewMemory(allocateMemory(dense.memoryBytes)), {
      pageFires: 0,
      waitForPage: () => undefined,
    }),
    registers: registers.map((values) => new Float64Array(values.length)),
  };
  bootReplay(again, densePlaces, spec.seed);
  registers.forEach((values, vcpu) => {
    runSteps(again.memory, again.registers[vcpu]!, denseLines, vcpu, spec.vcpus, values[STEPS]!);
    if (again.registers[vcpu]![RANDOM] !== values[RANDOM]) {
      audit.fail(`the registers of vCPU ${vcpu} do not belong to its ${values[STEPS]} steps`);
    }
  });
  const expected = new Int32Array(WORDS_PER_PAGE);
  const actual = new Int32Array(WORDS_PER_PAGE);
  for (let page = 0; page < places.pageCount; page++) {
    const gpa = places.gpaOf(page);
    memory.read(gpa, new Uint8Array(actual.buffer));
    again.memory.read(densePlaces.gpaOf(page), new Uint8Array(expected.buffer));
    audit.comparePage(gpa / PAGE_BYTES, expected, actual);
  }
  spotCheck(memory, places, spec.seed, audit);
  return audit.result();
}
