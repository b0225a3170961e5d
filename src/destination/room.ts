// Whether this host has room for a guest that comes: what it needs, and what is there now.
// Pure; whoever asks reads what is available, at the moment that the guest comes.
import { MicrostunError } from '../shared/errors.js';
import { residentBytesOf } from '../shared/guest/guest-program.js';
import { auditMemoryBytesOf } from '../shared/guest/programs/catalogue.js';
import { PIECE_BYTES_MAX } from '../shared/memory/layout.js';
import { formatBytes, formatCount } from '../shared/units.js';
import type { MessageOf } from '../shared/wire/messages.js';

export interface Room {
  /** The largest guest that the user allows; undefined: what there is room for. */
  readonly guestBytesMax: number | undefined;
  /** What processes may still take on this host, or within the limits of its container. */
  readonly availableBytes: number;
  /** What of that guests that are here may still touch: it was promised to them. */
  readonly promisedBytes: number;
  /** Memory of this process that is kept for the next guest, if any is; what is touched of it is not available. */
  readonly reserved?: { readonly bytes: number; readonly untouchedBytes: number } | undefined;
}

/** What a guest that comes may take of this host's memory. */
export interface MemoryNeeds {
  /** As long as it is here. */
  readonly lastingBytes: number;
  /** Until it is here and audited: whoever brings it, and its audit. */
  readonly passingBytes: number;
  /** Beside that it gets what is kept for the next guest. */
  readonly isReserved: boolean;
}

/** What a worker thread takes with its heap and stack: 5 to 8 MiB with Node 20 on x86-64. */
const WORKER_BYTES = 8 << 20;
/** Workers beside the vCPUs and the receivers: fetcher, sampler, and one for the audit. */
const WORKERS = 3;
/** Page table, bitmaps and counters: less than a page table byte and a few bits for each page. */
const TABLE_SHARE = 1 / 2048;

/**
 * Answers only if the guest of `prepare` fits: with what it may take.
 * @throws MicrostunError INSUFFICIENT_MEMORY, saying what it needs and what there is.
 */
export function checkRoom(
  { guest, touchedBytes, connections, audits }: MessageOf<'PREPARE'>,
  { guestBytesMax, availableBytes, promisedBytes, reserved }: Room,
): MemoryNeeds {
  const { vcpus } = guest;
  const isInOnePiece = guest.memoryBytes <= PIECE_BYTES_MAX;
  // Of a guest in segments all that it says it will ever touch, and has touched.
  const memoryBytes = isInOnePiece ? guest.memoryBytes : Math.max(touchedBytes, residentBytesOf(guest));
  if (guestBytesMax !== undefined && memoryBytes > guestBytesMax) {
    const [has, takes] = tellApart(memoryBytes, guestBytesMax);
    throw new MicrostunError(
      'INSUFFICIENT_MEMORY',
      `the guest has ${has} of memory, the destination takes ${takes} at the most; ` +
        'raise its --max-memory, or choose a smaller --memory',
    );
  }
  const isReserved = reserved !== undefined && isInOnePiece && memoryBytes <= reserved.bytes;
  const newBytes = isReserved ? Math.min(memoryBytes, reserved.untouchedBytes) : memoryBytes;
  const lastingBytes = Math.ceil(newBytes + memoryBytes * TABLE_SHARE + vcpus * WORKER_BYTES);
  const workerBytes = (connections + WORKERS) * WORKER_BYTES;
  const auditBytes = audits ? auditMemoryBytesOf(guest) : 0;
  const passingBytes = workerBytes + auditBytes;
  const freeBytes = Math.max(0, availableBytes - promisedBytes);
  if (lastingBytes + passingBytes <= freeBytes) return { lastingBytes, passingBytes, isReserved };
  const forAudit = auditBytes > 0 ? `, and ${formatBytes(auditBytes)} for its audit` : '';
  const forOthers =
    promisedBytes > 0 ? `, less ${formatBytes(promisedBytes)} that its other guests may touch yet` : '';
  throw new MicrostunError(
    'INSUFFICIENT_MEMORY',
    `the guest of ${formatBytes(memoryBytes)} needs ${formatBytes(lastingBytes + workerBytes)}${isReserved ? ' more than what is reserved' : ''} at the destination${forAudit}; ` +
      `${formatBytes(freeBytes)} are available there now${forOthers}. Free memory there, or choose a smaller --memory` +
      (auditBytes > 0 ? ', or --no-audit' : ''),
  );
}

/** A guest that comes, and may touch more than it has touched. */
export interface GuestSize {
  /** In bytes, when it began to come: what was checked then. */
  readonly touchedBytes: number;
  /** The largest guest that the user allows; undefined: what there is room for. */
  readonly guestBytesMax: number | undefined;
}

/**
 * Answers only if a guest in segments that has touched `bytes` by now may.
 * @throws MicrostunError INSUFFICIENT_MEMORY.
 */
export function checkGrowth(
  bytes: number,
  { touchedBytes, guestBytesMax }: GuestSize,
  availableBytes: number,
): void {
  const growth = bytes - touchedBytes;
  if (growth <= 0) return;
  if (guestBytesMax !== undefined && bytes > guestBytesMax)
    throw new MicrostunError(
      'INSUFFICIENT_MEMORY',
      `the guest has touched ${formatBytes(bytes)} by now, the destination takes ${formatBytes(guestBytesMax)} at the most; ` +
        'raise its --max-memory, or choose a smaller --resident',
    );
  if (growth > availableBytes)
    throw new MicrostunError(
      'INSUFFICIENT_MEMORY',
      `the guest has touched ${formatBytes(growth)} more since it began to come, and ${formatBytes(availableBytes)} are ` +
        'available at the destination. Free memory there, or choose a smaller --resident',
    );
}

/** Two sizes for people; to the byte where they would read the same. */
function tellApart(one: number, other: number): readonly [string, string] {
  const short = [formatBytes(one), formatBytes(other)] as const;
  return short[0] === short[1] ? [`${formatCount(one)} bytes`, `${formatCount(other)} bytes`] : short;
}
