// What room this host has for guests: what is available now, less what guests that are here were promised and have not
// touched yet. Counts bytes; what a guest needs is room.ts's to say.
import type { MemoryNeeds, Room } from '../room.js';
import type { MemoryReserve } from './reserve.js';

/** What is read when a guest comes. */
export interface HostMemory {
  /** What processes may still take on this host, or within the limits of its container. */
  availableBytes(): number;
  /** What this process has touched and still has. */
  residentBytes(): number;
}

export interface HostRoomOptions {
  /** The largest guest that the user allows; undefined: what there is room for. */
  readonly guestBytesMax: number | undefined;
  readonly reserve: Pick<MemoryReserve, 'forNextGuest' | 'touchedBytes' | 'untouchedBytes'> | undefined;
  readonly memory: HostMemory;
}

export class HostRoom {
  readonly #options: HostRoomOptions;
  /** By migration. */
  readonly #promises = new Map<string, MemoryNeeds>();
  /** What the process had touched, beside the reserve, when last nobody was promised anything. */
  #ownBytes = 0;

  constructor(options: HostRoomOptions) {
    this.#options = options;
  }

  /** For one more guest. */
  now(): Room {
    const { guestBytesMax, reserve, memory } = this.#options;
    // First: what is collected for it is touched no more.
    const availableBytes = memory.availableBytes();
    const promises = [...this.#promises.values()];
    const touchedBytes = memory.residentBytes() - (reserve?.touchedBytes ?? 0);
    if (promises.length === 0) this.#ownBytes = touchedBytes;
    const promisedBytes = promises.reduce((sum, needs) => sum + needs.lastingBytes + needs.passingBytes, 0);
    // What the guests have touched is not available any more, so it is not counted twice.
    const guestsUntouchedBytes = promisedBytes - Math.max(0, touchedBytes - this.#ownBytes);
    const reserved = promises.some(({ isReserved }) => isReserved) ? undefined : reserve?.forNextGuest;
    const reserveUntouchedBytes = reserved === undefined ? (reserve?.untouchedBytes ?? 0) : 0;
    return {
      guestBytesMax,
      reserved,
      promisedBytes: Math.max(0, guestsUntouchedBytes) + reserveUntouchedBytes,
      availableBytes,
    };
  }

  /** The guest of that migration may take so much. */
  promise(migrationId: string, needs: MemoryNeeds): void {
    this.#promises.set(migrationId, needs);
  }

  /** That guest is here, and whatever brought it and audited it is gone. */
  arrived(migrationId: string): void {
    const needs = this.#promises.get(migrationId);
    if (needs !== undefined) this.#promises.set(migrationId, { ...needs, passingBytes: 0 });
  }

  /** That guest is gone, or did not come. */
  release(migrationId: string): void {
    this.#promises.delete(migrationId);
  }
}
