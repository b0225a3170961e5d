// What PREPARE must be before a place is made for its guest.
// Pure; whether there is room is room.ts's to say.
import { ProtocolError } from '../shared/errors.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import type { MessageOf } from '../shared/wire/messages.js';
import { checkRoom, type Room } from './room.js';

/**
 * @throws MicrostunError INSUFFICIENT_MEMORY when the guest does not fit; ProtocolError when it cannot be.
 */
export function checkPrepare(prepare: MessageOf<'PREPARE'>, room: Room): void {
  checkRoom(prepare, room);
  const { guest, pagePorts } = prepare;
  if (guest.memoryBytes % PAGE_BYTES !== 0)
    throw new ProtocolError(`guest memory of ${guest.memoryBytes} bytes is no whole number of pages`);
  if (pagePorts.length === 0) throw new ProtocolError('a migration needs a page connection');
}
