// Where the guest with a hot set writes.
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { describe, expect, it } from 'vitest';
import { createGuestMemory } from '../../src/shared/memory/guest-memory.js';
import type { Vcpu } from '../../src/shared/guest/guest-program.js';
import { hotSet } from '../../src/shared/guest/programs/page-writer.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { guestOf, isSameBytes, pageOf } from './page-fixtures.js';

const PAGES = 300;

/** The pages that differ after many slices of one vCPU. */
function pagesWritten(hotSetBytes: number): number[] {
  const spec = {
    program: 'hot-set',
    memoryBytes: PAGES * PAGE_BYTES,
    vcpus: 1,
    seed: 7,
    writeRate: Infinity,
    residentBytes: 0,
    devices: [],
  };
  const program = hotSet({ ...spec, hotSetBytes });
  const views = guestOf(PAGES);
  const memory = createGuestMemory(views, { pageFires: 0, waitForPage: () => undefined });
  const registers = new Float64Array(32);
  program.boot?.({ memory, registers: [registers] });
  const before = views.segments[0]!.bytes.slice();
  const vcpu: Vcpu = {
    id: 0,
    memory,
    registers,
    nowUs: () => 0,
    devices: new GuestDevices(memory, spec),
    haltUntil: () => undefined,
    powerOff: () => {
      throw new Error('powered off');
    },
    countWork: () => undefined,
  };
  for (let slice = 0; slice < 500; slice++) program.runSlice(vcpu);
  return Array.from({ length: PAGES }, (_, page) => page).filter(
    (page) => !isSameBytes(pageOf(views, page), before.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)),
  );
}

describe('a guest with a hot set', () => {
  it('writes all of the memory that it is told to, in one piece, and nothing else', () => {
    const pages = pagesWritten(40 * PAGE_BYTES);
    expect(pages).toHaveLength(40);
    expect(pages.at(-1)! - pages[0]!).toBe(39);
    expect(pagesWritten(PAGES * PAGE_BYTES)).toHaveLength(PAGES);
  });

  it('writes elsewhere too when it is told nothing', () => {
    expect(pagesWritten(0).length).toBeGreaterThan(PAGES / 2);
  });
});
