// The rehearsals walk their way for a guest of either kind: what is thrown in one would be thrown in the stun.
import { describe, expect, it } from 'vitest';
import { TakeOverRehearsal } from '../../src/destination/rehearsal.js';
import type { GuestSpec } from '../../src/shared/guest/guest-program.js';
import { rehearsedMachine } from '../../src/shared/guest/rehearsed-machine.js';
import { PIECE_BYTES_MAX, viewMemory } from '../../src/shared/memory/layout.js';
import { SwitchOverRehearsal } from '../../src/source/rehearsal.js';

const TURNS = 16;

describe.each([
  ['in one piece', PIECE_BYTES_MAX],
  ['in segments', 24 * 2 ** 40],
])('a guest %s', (_, memoryBytes) => {
  const spec: GuestSpec = {
    program: 'uniform',
    memoryBytes,
    vcpus: 2,
    seed: 0,
    writeRate: 0,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  };

  it('is rehearsed with a machine of its kind, in small', () => {
    const { machine, pages, pageCount } = rehearsedMachine(spec);
    const views = viewMemory(machine.memory);
    expect(views.regions.first).toBe(memoryBytes > PIECE_BYTES_MAX ? 1 : 0);
    expect(views.pageCount).toBe(pageCount);
    expect(pages.nextSet(0)).toBeGreaterThanOrEqual(views.regions.first * 512);
    expect(pages.count()).toBeGreaterThan(10_000);
  });

  it('leaves and comes in every turn', () => {
    const leaving = new SwitchOverRehearsal(spec);
    const coming = new TakeOverRehearsal(spec);
    expect(() => {
      for (let turn = 0; turn < TURNS; turn++) {
        leaving.turn();
        coming.turn();
      }
    }).not.toThrow();
  });
});
