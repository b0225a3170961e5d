// What PREPARE must be before a place is made for its guest.
import { describe, expect, it } from 'vitest';
import { checkPrepare } from '../../src/destination/prepare-check.js';
import { ProtocolError } from '../../src/shared/errors.js';
import type { GuestSpec } from '../../src/shared/guest/guest-program.js';
import { REGION_BYTES } from '../../src/shared/memory/pages.js';
import { examples } from './message-examples.js';

const ROOM = { guestBytesMax: undefined, availableBytes: 2 ** 40, promisedBytes: 0 };

function check(guest: Partial<GuestSpec>): void {
  const [prepare] = examples.PREPARE;
  checkPrepare({ ...prepare, guest: { ...prepare.guest, ...guest } }, ROOM);
}

const memoryBytes = 8 * REGION_BYTES;

describe('a guest that a peer wants to send', () => {
  it.each([0, REGION_BYTES, 7 * REGION_BYTES, 8 * REGION_BYTES])(
    'may touch %d bytes of its 16 MiB',
    (residentBytes) => {
      expect(() => {
        check({ memoryBytes, residentBytes });
      }).not.toThrow();
    },
  );

  it.each([
    { memoryBytes, residentBytes: 9 * REGION_BYTES },
    { memoryBytes, residentBytes: REGION_BYTES + 4096 },
    { memoryBytes, residentBytes: 1 },
    { memoryBytes: memoryBytes + 4096, residentBytes: REGION_BYTES },
  ])('is refused when its resident set does not fit its memory in whole regions: $residentBytes', (guest) => {
    expect(() => {
      check(guest);
    }).toThrow(ProtocolError);
  });

  it('is refused when its memory is no whole number of pages', () => {
    expect(() => {
      check({ memoryBytes: 4097 });
    }).toThrow(/no whole number of pages/);
  });

  const service = { name: 'redis', kind: 'service', connections: 4, ringBytes: 4096 } as const;

  it('may have devices whose windows fit its memory', () => {
    expect(() => {
      check({ memoryBytes, devices: [service, { ...service, name: 'other', ringBytes: 8192 }] });
    }).not.toThrow();
  });

  it.each([
    ['two of one name', [service, service], /two devices named "redis"/],
    ['one without a name', [{ ...service, name: '' }], /name is not 1 to 40/],
    ['rings of no power of two', [{ ...service, ringBytes: 5000 }], /a power of two/],
    [
      'a console of two connections',
      [{ ...service, kind: 'console' as const, connections: 2 }],
      /1 to 1 are allowed/,
    ],
    [
      'windows that leave nothing of its memory',
      [{ ...service, connections: 1024, ringBytes: 1 << 20 }],
      /give it more --memory/,
    ],
  ])('is refused with %s', (_name, devices, complaint) => {
    expect(() => {
      check({ memoryBytes, devices });
    }).toThrow(complaint);
  });
});
