// A destination's house that is open to every guest: any program, any code, memory without end.
// For tests of what comes after.
import type { AllowedGuests } from '../../src/destination/allowed-guests.js';
import type { HostRoom } from '../../src/destination/memory/host-room.js';

export const openHouse: {
  readonly allowed: Pick<AllowedGuests, 'check'>;
  readonly room: Pick<HostRoom, 'now' | 'promise' | 'arrived' | 'release'>;
} = {
  allowed: { check: () => undefined },
  room: {
    now: () => ({
      guestBytesMax: undefined,
      availableBytes: Infinity,
      promisedBytes: 0,
      reserved: undefined,
    }),
    promise: () => undefined,
    arrived: () => undefined,
    release: () => undefined,
  },
};
