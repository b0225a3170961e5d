// Guests that touch a part of their memory: what they write, and what their audits find.
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { describe, expect, it } from 'vitest';
import type { AuditResult, GuestSpec, Vcpu } from '../../src/shared/guest/guest-program.js';
import { auditMemoryBytesOf, catalogue, programNames } from '../../src/shared/guest/programs/catalogue.js';
import { placesOf } from '../../src/shared/guest/programs/page-places.js';
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, REGION_BYTES } from '../../src/shared/memory/pages.js';

const MIB = 2 ** 20;
/** Chunks 0 and 3 of four lie at the ends of memory. */
const MEMORY_BYTES = 32 * MIB;
const RESIDENT_BYTES = 8 * MIB;
const SLICES = 30;

function specOf(program: string, hotSetBytes = 0): GuestSpec {
  return {
    program,
    memoryBytes: MEMORY_BYTES,
    vcpus: 2,
    seed: 5,
    writeRate: Infinity,
    hotSetBytes,
    residentBytes: RESIDENT_BYTES,
    devices: [],
  };
}

// One that has devices writes where they are.
const writers = programNames.filter((name) => catalogue[name]?.devices === undefined);
const factories = new Map(
  await Promise.all(writers.map(async (name) => [name, await catalogue[name]!.load()] as const)),
);

interface Ran {
  readonly memory: GuestMemory;
  /** The guest runs some slices more. */
  readonly run: () => void;
  readonly audit: () => AuditResult;
}

/** A guest that booted and ran for some slices. */
function ran(spec: GuestSpec): Ran {
  const memory = createGuestMemory(viewMemory(allocateMemory(spec.memoryBytes)), {
    pageFires: 0,
    waitForPage: () => undefined,
  });
  const program = factories.get(spec.program)!(spec);
  const registers = Array.from({ length: spec.vcpus }, () => new Float64Array(32));
  const vcpus = registers.map((values, id): Vcpu => {
    return {
      id,
      memory,
      registers: values,
      nowUs: () => 0,
      devices: new GuestDevices(memory, spec),
      haltUntil: () => undefined,
      powerOff: () => {
        throw new Error('powered off');
      },
      countWork: () => undefined,
    };
  });
  program.boot?.({ memory, registers });
  const run = (): void => {
    for (let slice = 0; slice < SLICES; slice++) for (const vcpu of vcpus) program.runSlice(vcpu);
  };
  run();
  return { memory, run, audit: () => program.audit!({ memory, registers }) };
}

function copyOf(memory: GuestMemory): Uint8Array {
  const bytes = new Uint8Array(memory.memoryBytes);
  memory.read(0, bytes);
  return bytes;
}

/** gpas of the pages that differ. */
function differing(memory: GuestMemory, before: Uint8Array): number[] {
  const now = Buffer.from(copyOf(memory));
  return Array.from({ length: memory.pageCount }, (_, page) => page * PAGE_BYTES).filter(
    (gpa) => now.compare(before, gpa, gpa + PAGE_BYTES, gpa, gpa + PAGE_BYTES) !== 0,
  );
}

/** The one finding of an audit that fails, about the page at `gpa`. */
function expectFinding({ passed, findings }: AuditResult, gpa: number): void {
  expect(passed).toBe(false);
  expect(findings[0]).toContain(`page ${gpa / PAGE_BYTES} is`);
  expect(findings[0]).toContain(`gpa 0x${gpa.toString(16).slice(0, -3)}`);
}

describe.each(writers)('a resident set of the guest %s', (name) => {
  const spec = specOf(name);
  const places = placesOf(spec);

  it('is filled at boot, is written all over, and is all that is', () => {
    const { memory, run } = ran(spec);
    const untouched = new Uint8Array(MEMORY_BYTES);
    expect(differing(memory, untouched).filter((gpa) => !places.holds(gpa))).toEqual([]);
    const before = copyOf(memory);
    run();
    const written = differing(memory, before);
    expect(written.filter((gpa) => !places.holds(gpa))).toEqual([]);
    const chunks = new Set(written.map((gpa) => Math.floor(gpa / REGION_BYTES)));
    expect(chunks.size).toBe(4);
  });

  it('passes its audit, which counts all of its pages and those that it spot-checked', () => {
    const { memory, audit } = ran(spec);
    const { passed, checked, failed, findings } = audit();
    expect({ passed, failed, findings }).toEqual({ passed: true, failed: 0, findings: [] });
    expect(checked).toBeGreaterThan(places.pageCount + 2000);
    expect(checked).toBeLessThan(memory.pageCount);
  });

  it('is found to have lost a write', () => {
    const { memory, run, audit } = ran(spec);
    const before = copyOf(memory);
    run();
    const gpa = differing(memory, before).at(-1)!;
    memory.write(gpa, before.subarray(gpa, gpa + PAGE_BYTES));
    const { passed, findings } = audit();
    expect(passed).toBe(false);
    // What a page writer wrote before was whole too: only its sums tell.
    if (name === 'replay') expect(findings[0]).toContain(`page ${gpa / PAGE_BYTES} is wrong`);
    else expect(findings[0]).toMatch(/were lost/);
  });

  it('is found to have a byte beside it, right before a chunk, right after one, or where the sample looks', () => {
    const { memory, audit } = ran(spec);
    const [, one, other] = places.chunkGpas;
    for (const gpa of [one! - 1, other! + REGION_BYTES, other! - 1, REGION_BYTES]) {
      const page = Math.floor(gpa / PAGE_BYTES) * PAGE_BYTES;
      expect(places.holds(page)).toBe(false);
      memory.store8(gpa, 1);
      const result = audit();
      memory.store8(gpa, 0);
      expectFinding(result, page);
      expect(result.findings[0]).toContain('beside the resident set');
      expect(result.failed).toBe(1);
    }
    expect(audit().passed).toBe(true);
  });

  it('is found to have two of its pages in the place of each other', () => {
    const { memory, audit } = ran(spec);
    const [one, other] = [places.gpaOf(600), places.gpaOf(1700)];
    const bytes = copyOf(memory);
    memory.write(one, bytes.subarray(other, other + PAGE_BYTES));
    memory.write(other, bytes.subarray(one, one + PAGE_BYTES));
    const result = audit();
    expectFinding(result, one);
    expect(result.failed).toBeGreaterThanOrEqual(2);
  });
});

describe('a resident set of a page writer', () => {
  it('is found to have a torn page', () => {
    const spec = specOf('uniform');
    const { memory, run, audit } = ran(spec);
    const before = copyOf(memory);
    run();
    const gpa = differing(memory, before).at(-1)!;
    memory.write(gpa + PAGE_BYTES / 2, before.subarray(gpa + PAGE_BYTES / 2, gpa + PAGE_BYTES));
    expectFinding(audit(), gpa);
  });

  it('has its hot set in it, in pages that follow each other there', () => {
    const spec = specOf('hot-set', 40 * PAGE_BYTES);
    const places = placesOf(spec);
    const { memory, run } = ran(spec);
    const before = copyOf(memory);
    for (let turn = 0; turn < 5; turn++) run();
    const first = Math.floor((places.pageCount - 40) / 3);
    expect(differing(memory, before)).toEqual(
      Array.from({ length: 40 }, (_, page) => places.gpaOf(first + page)),
    );
  });
});

describe('the memory of an audit', () => {
  it('is what the guest touches, and not its address space', () => {
    expect(auditMemoryBytesOf(specOf('replay'))).toBe(RESIDENT_BYTES);
    expect(auditMemoryBytesOf({ ...specOf('replay'), residentBytes: 0 })).toBe(MEMORY_BYTES);
    expect(auditMemoryBytesOf(specOf('uniform'))).toBe(0);
  });
});
