// What PREPARE must be before a place is made for its guest.
// Pure; whether there is room is room.ts's to say.
import { ProtocolError } from '../shared/errors.js';
import { complaintAbout } from '../shared/guest/devices/device-windows.js';
import { PAGE_BYTES, REGION_BYTES } from '../shared/memory/pages.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import type { MessageOf } from '../shared/wire/messages.js';
import type { AllowedGuests } from './allowed-guests.js';
import type { HostRoom } from './memory/host-room.js';
import { checkRoom, type MemoryNeeds, type Room } from './room.js';

/** What a destination lets in. */
export interface Admittance {
  readonly allowed: Pick<AllowedGuests, 'check'>;
  readonly room: Pick<HostRoom, 'now' | 'promise'>;
}

/** What a guest that was let in is prepared with. */
export interface Admitted {
  /** The largest guest that the user allows, if that is said. */
  readonly guestBytesMax: number | undefined;
  /** The URL of its code, unless it is built in. */
  readonly module: string | undefined;
}

/**
 * Lets the guest of `prepare` in: it has the memory that it needs promised from now on.
 * @throws MicrostunError REFUSED when its program is not taken here; else as `checkPrepare`.
 */
export function letIn(
  prepare: MessageOf<'PREPARE'>,
  migrationId: string,
  { allowed, room }: Admittance,
): Admitted {
  const module = allowed.check(prepare);
  const now = room.now();
  room.promise(migrationId, checkPrepare(prepare, now));
  return { guestBytesMax: now.guestBytesMax, module };
}

/**
 * Answers what the guest takes of the room.
 * @throws MicrostunError INSUFFICIENT_MEMORY when the guest does not fit; ProtocolError when it cannot be.
 */
export function checkPrepare(prepare: MessageOf<'PREPARE'>, room: Room): MemoryNeeds {
  const needs = checkRoom(prepare, room);
  const { guest, touchedBytes } = prepare;
  if (guest.memoryBytes % PAGE_BYTES !== 0)
    throw new ProtocolError(`guest memory of ${guest.memoryBytes} bytes is no whole number of pages`);
  refuseResidentSet(guest);
  const complaint = complaintAbout(guest);
  if (complaint !== undefined) throw new ProtocolError(`the guest ${complaint}`);
  if (touchedBytes > guest.memoryBytes)
    throw new ProtocolError(
      `a guest of ${guest.memoryBytes} bytes cannot have touched ${touchedBytes} of them`,
    );
  refusePorts(prepare);
  return needs;
}

// Whoever dials is told where.
function refusePorts({ connections, dials, pagePorts, faultPort }: MessageOf<'PREPARE'>): void {
  const isTold = dials === 'destination';
  if (pagePorts.length !== (isTold ? connections : 0) || isTold !== faultPort > 0)
    throw new ProtocolError(
      `${pagePorts.length} page ports and fault port ${faultPort} are not those of ${connections} connections that the ${dials} dials`,
    );
}

// Whole regions of a guest that is made of whole regions: page-places.ts puts them in it.
function refuseResidentSet({ memoryBytes, residentBytes }: GuestSpec): void {
  if (residentBytes === 0) return;
  if (residentBytes > memoryBytes || residentBytes % REGION_BYTES !== 0 || memoryBytes % REGION_BYTES !== 0)
    throw new ProtocolError(
      `a resident set of ${residentBytes} bytes does not fit guest memory of ${memoryBytes} bytes in whole regions`,
    );
}
