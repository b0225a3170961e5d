// Whether there is room for a guest: counted when it comes, with all that it will take.
import { describe, expect, it } from 'vitest';
import { checkGrowth, checkRoom } from '../../src/destination/room.js';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import { examples } from './message-examples.js';

const GIB = 2 ** 30;

function prepareFor(program: string, audits: boolean): MessageOf<'PREPARE'> {
  const [prepare] = examples.PREPARE;
  return { ...prepare, audits, guest: { ...prepare.guest, program, memoryBytes: GIB, vcpus: 2 } };
}

describe('the room for a guest', () => {
  const available = (availableBytes: number, guestBytesMax?: number) => ({
    availableBytes,
    guestBytesMax,
    promisedBytes: 0,
  });

  it('is what is available, less what its threads and tables take', () => {
    const prepare = prepareFor('uniform', true);
    expect(() => {
      checkRoom(prepare, available(1.2 * GIB));
    }).not.toThrow();
    expect(() => {
      checkRoom(prepare, available(GIB));
    }).toThrow(/1\.00 GiB needs 1\.\d+ GiB at the destination; 1\.00 GiB are available/);
  });

  it('counts the second guest that the audit of a deterministic one runs, if it is audited', () => {
    expect(() => {
      checkRoom(prepareFor('replay', true), available(1.5 * GIB));
    }).toThrow(/and 1\.00 GiB for its audit.*--no-audit/);
    expect(() => {
      checkRoom(prepareFor('replay', false), available(1.5 * GIB));
    }).not.toThrow();
    expect(() => {
      checkRoom(prepareFor('replay', true), available(2.5 * GIB));
    }).not.toThrow();
  });

  it('counts of what is kept for guests only what is not touched, and nothing for a guest that is larger', () => {
    const room = { availableBytes: 0.5 * GIB, guestBytesMax: undefined, promisedBytes: 0 };
    const prepare = prepareFor('uniform', true);
    expect(() => {
      checkRoom(prepare, { ...room, reserved: { bytes: GIB, untouchedBytes: 0 } });
    }).not.toThrow();
    expect(() => {
      checkRoom(prepare, { ...room, reserved: { bytes: 2 * GIB, untouchedBytes: GIB } });
    }).toThrow(/needs 1\.\d+ GiB more than what is reserved at the destination; 512 MiB are available/);
    expect(() => {
      checkRoom(prepare, { ...room, reserved: { bytes: GIB - 4096, untouchedBytes: 0 } });
    }).toThrow(/needs 1\.\d+ GiB at the destination; 512 MiB are available/);
  });

  it('is less by what guests that are here were promised and have not touched', () => {
    const room = { availableBytes: 3 * GIB, guestBytesMax: undefined, promisedBytes: 1.5 * GIB };
    const prepare = prepareFor('uniform', true);
    expect(() => {
      checkRoom(prepare, room);
    }).not.toThrow();
    expect(() => {
      checkRoom(prepare, { ...room, promisedBytes: 2.5 * GIB });
    }).toThrow(/512 MiB are available there now, less 2\.50 GiB that its other guests may touch yet/);
  });

  it('is what a guest of a large address space touches, whatever it says to have touched', () => {
    const prepare = prepareFor('uniform', true);
    const guest = { ...prepare.guest, memoryBytes: 24 * 1024 * GIB, residentBytes: GIB };
    expect(() => {
      checkRoom({ ...prepare, guest }, available(1.2 * GIB));
    }).not.toThrow();
    expect(() => {
      checkRoom({ ...prepare, guest, touchedBytes: 0 }, available(GIB));
    }).toThrow(/the guest of 1\.00 GiB needs 1\.\d+ GiB at the destination/);
    expect(() => {
      checkRoom({ ...prepare, guest: { ...guest, residentBytes: 0 }, touchedBytes: 0 }, available(100 * GIB));
    }).toThrow(/the guest of 24\.0 TiB needs/);
  });

  it('is not more than the user allows, however much there is', () => {
    expect(() => {
      checkRoom(prepareFor('uniform', true), available(100 * GIB, GIB - 4096));
    }).toThrow(
      /has 1,073,741,824 bytes of memory, the destination takes 1,073,737,728 bytes at.*--max-memory/,
    );
    expect(() => {
      checkRoom(prepareFor('uniform', true), available(100 * GIB, GIB / 2));
    }).toThrow(/has 1\.00 GiB of memory, the destination takes 512 MiB at the most/);
    expect(() => {
      checkRoom(prepareFor('uniform', true), available(100 * GIB, GIB));
    }).not.toThrow();
  });
});

describe('the room for a guest in segments', () => {
  const TIB = 2 ** 40;
  const prepare = (touchedBytes: number): MessageOf<'PREPARE'> => {
    const [example] = examples.PREPARE;
    return {
      ...example,
      audits: false,
      touchedBytes,
      guest: { ...example.guest, program: 'uniform', memoryBytes: 24 * TIB, residentBytes: GIB, vcpus: 2 },
    };
  };
  const room = { availableBytes: 2 * GIB, guestBytesMax: undefined, promisedBytes: 0 };

  it('is for what it has touched, however large its address space is', () => {
    expect(() => {
      checkRoom(prepare(GIB), room);
    }).not.toThrow();
    expect(() => {
      checkRoom(prepare(3 * GIB), room);
    }).toThrow(/needs 3\.\d+ GiB at the destination; 2\.00 GiB are available/);
    expect(() => {
      checkRoom(prepare(GIB), { ...room, guestBytesMax: GIB - 4096 });
    }).toThrow('--max-memory');
  });

  it('is never what is reserved, which is one piece', () => {
    expect(() => {
      checkRoom(prepare(3 * GIB), { ...room, reserved: { bytes: 4 * GIB, untouchedBytes: 0 } });
    }).toThrow('needs 3');
  });

  it('is looked at again when it has touched more', () => {
    const size = { touchedBytes: GIB, guestBytesMax: 2 * GIB };
    const grown = (bytes: number, availableBytes: number) => () => {
      checkGrowth(bytes, size, availableBytes);
    };
    expect(grown(GIB, 0)).not.toThrow();
    expect(grown(1.5 * GIB, GIB)).not.toThrow();
    expect(grown(1.5 * GIB, GIB / 4)).toThrow(/touched 512 MiB more .* 256 MiB are available/);
    expect(grown(2 * GIB + 4096, 10 * GIB)).toThrow('--max-memory');
  });
});
