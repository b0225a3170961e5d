// The deterministic guest: all of its memory after n steps can be computed again from the seed.
// Each vCPU owns every vcpus-th 64-byte line, so all of them write every page and no interleaving matters.
import { createGuestMemory, type GuestMemory } from '../../memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../memory/layout.js';
import { PAGE_BYTES } from '../../memory/pages.js';
import type { AuditResult, GuestFactory, GuestSpec, Machine } from '../guest-program.js';
import { Audit } from './audit.js';
import { paceFor } from './pacing.js';
import { fillPattern, WORDS_PER_PAGE } from './pattern.js';
import { below, mix32, nextRandom, seedRandom } from './random.js';

// Registers.
const RANDOM = 0;
const STEPS = 1;
const DUE = 2;

const LINE_BYTES = 64;
const BATCH_MAX = 128;

export const replay: GuestFactory = (spec) => {
  const pace = paceFor(spec, BATCH_MAX, DUE);
  return {
    boot(machine) {
      bootReplay(machine, spec);
    },
    runSlice(vcpu) {
      if (!pace.mayRun(vcpu)) return;
      runSteps(vcpu.memory, vcpu.registers, vcpu.id, spec.vcpus, pace.batch);
      vcpu.countWork(pace.batch);
    },
    audit: (machine) => auditReplay(machine, spec),
  };
};

function bootReplay({ memory, registers }: Machine, { seed }: GuestSpec): void {
  const words = new Int32Array(WORDS_PER_PAGE);
  const bytes = new Uint8Array(words.buffer);
  for (let page = 0; page < memory.pageCount; page++) {
    fillPattern(words, page, seed);
    memory.write(page * PAGE_BYTES, bytes);
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
  id: number,
  vcpus: number,
  steps: number,
): void {
  const lines = Math.floor((memory.memoryBytes / LINE_BYTES - id - 1) / vcpus) + 1;
  let random = registers[RANDOM]!;
  for (let step = 0; step < steps; step++) {
    random = nextRandom(random);
    const line = below(random, lines) * vcpus + id;
    const word = mix32(random);
    const gpa = line * LINE_BYTES + (word & 0x38);
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
        memory.fill(line * LINE_BYTES, LINE_BYTES, word & 0xff);
        break;
      case 4:
        memory.atomicAdd32(gpa, word | 0);
        break;
      case 5:
        memory.move(line * LINE_BYTES, line * LINE_BYTES + 16, 32);
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

/** Boots a second guest in private memory, runs every vCPU's steps there and compares all of memory and registers. */
function auditReplay({ memory, registers }: Machine, spec: GuestSpec): AuditResult {
  const audit = new Audit();
  const again: Machine = {
    memory: createGuestMemory(viewMemory(allocateMemory(spec.memoryBytes)), {
      pageFires: 0,
      waitForPage: () => undefined,
    }),
    registers: registers.map((values) => new Float64Array(values.length)),
  };
  bootReplay(again, spec);
  registers.forEach((values, vcpu) => {
    runSteps(again.memory, again.registers[vcpu]!, vcpu, spec.vcpus, values[STEPS]!);
    if (again.registers[vcpu]![RANDOM] !== values[RANDOM]) {
      audit.fail(`the registers of vCPU ${vcpu} do not belong to its ${values[STEPS]} steps`);
    }
  });
  const expected = new Int32Array(WORDS_PER_PAGE);
  const actual = new Int32Array(WORDS_PER_PAGE);
  for (let page = 0; page < memory.pageCount; page++) {
    memory.read(page * PAGE_BYTES, new Uint8Array(actual.buffer));
    again.memory.read(page * PAGE_BYTES, new Uint8Array(expected.buffer));
    audit.comparePage(page, expected, actual);
  }
  return audit.result();
}
