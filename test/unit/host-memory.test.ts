// Whether a host has what a guest is about to touch.
import { describe, expect, it } from 'vitest';
import type { GuestSpec } from '../../src/shared/guest/guest-program.js';
import { checkHostMemory } from '../../src/shared/guest/host-memory.js';
import { GuestMachine } from '../../src/shared/guest/machine.js';

const GIB = 2 ** 30;
const spec: GuestSpec = {
  program: 'uniform',
  memoryBytes: 24 * 1024 * GIB,
  vcpus: 1,
  seed: 1,
  writeRate: 0,
  hotSetBytes: 0,
  residentBytes: GIB,
  devices: [],
};

describe('the memory of a host, before a guest is booted', () => {
  it('need be what the guest touches and a little more, whatever its address space', () => {
    expect(() => {
      checkHostMemory(spec, 1.25 * GIB);
    }).not.toThrow();
    expect(() => {
      checkHostMemory(spec, 1.25 * GIB - 4096);
    }).toThrow(/touches 1\.00 GiB of memory, and this host has 1\.25 GiB available.*--resident/);
    expect(() => {
      checkHostMemory({ ...spec, residentBytes: 0 }, 100 * GIB);
    }).toThrow(/touches 24\.0 TiB of memory, and this host has 100 GiB/);
  });

  it('is asked for before anything is filled', async () => {
    const machine = new GuestMachine({ ...spec, residentBytes: 0 }, { failed: () => undefined });
    await expect(machine.start(true)).rejects.toMatchObject({ code: 'INSUFFICIENT_MEMORY' });
    await machine.close();
  });
});
