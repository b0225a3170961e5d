// What room a host with guests has for one more: what these were promised and have not touched is theirs.
import { describe, expect, it } from 'vitest';
import { HostRoom, type HostRoomOptions } from '../../src/destination/memory/host-room.js';
import type { MemoryNeeds } from '../../src/destination/room.js';

const MIB = 2 ** 20;
const OWN = 50 * MIB;

/** A host of which a process has touched `residentBytes`, which a test moves. */
function hostWith(reserve?: HostRoomOptions['reserve']) {
  const memory = { resident: OWN };
  const room = new HostRoom({
    guestBytesMax: undefined,
    reserve,
    memory: { availableBytes: () => 4096 * MIB, residentBytes: () => memory.resident },
  });
  return { memory, room };
}

const needs = (lasting: number, passing = 0, isReserved = false): MemoryNeeds => ({
  lastingBytes: lasting * MIB,
  passingBytes: passing * MIB,
  isReserved,
});

describe('the room of a host', () => {
  it('is what is available while it has no guest, whatever the process itself has touched', () => {
    const { memory, room } = hostWith();
    expect(room.now()).toMatchObject({ availableBytes: 4096 * MIB, promisedBytes: 0 });
    memory.resident += 30 * MIB;
    expect(room.now().promisedBytes).toBe(0);
    room.promise('a', needs(1000));
    expect(room.now().promisedBytes).toBe(1000 * MIB);
  });

  it('lacks what each guest was promised and has not touched, and no more once all is touched', () => {
    const { memory, room } = hostWith();
    room.now();
    room.promise('a', needs(1000, 200));
    memory.resident = OWN + 300 * MIB;
    expect(room.now().promisedBytes).toBe(900 * MIB);
    room.promise('b', needs(500));
    expect(room.now().promisedBytes).toBe(1400 * MIB);
    room.arrived('a');
    expect(room.now().promisedBytes).toBe(1200 * MIB);
    memory.resident = OWN + 2000 * MIB;
    expect(room.now().promisedBytes).toBe(0);
  });

  it('has again what a guest that ended was promised', () => {
    const { memory, room } = hostWith();
    room.now();
    room.promise('a', needs(1000));
    room.promise('b', needs(100));
    memory.resident = OWN + 1050 * MIB;
    room.release('a');
    memory.resident = OWN + 50 * MIB;
    expect(room.now().promisedBytes).toBe(50 * MIB);
    room.release('b');
    expect(room.now().promisedBytes).toBe(0);
  });

  it('promises what is kept for the next guest once, and counts what of it is still to be touched', () => {
    const reserve = {
      forNextGuest: { bytes: 512 * MIB, untouchedBytes: 112 * MIB },
      touchedBytes: 400 * MIB,
      untouchedBytes: 112 * MIB,
    };
    const { memory, room } = hostWith(reserve);
    memory.resident = OWN + 400 * MIB;
    expect(room.now()).toMatchObject({ reserved: reserve.forNextGuest, promisedBytes: 0 });
    room.promise('a', needs(20, 0, true));
    expect(room.now()).toMatchObject({ reserved: undefined, promisedBytes: 132 * MIB });
    room.release('a');
    expect(room.now()).toMatchObject({ reserved: reserve.forNextGuest, promisedBytes: 0 });
  });
});
