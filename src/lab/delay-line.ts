// A pipe from one socket to another in which every byte takes its time: in order, and bounded.
// Knows bytes and a clock only.
import type { Socket } from 'node:net';
import { monotonicUs } from '../shared/clock.js';
import { after, type Timer } from '../shared/timers.js';

/** Bytes on their way, at the most: more are left to the sender's socket, as in a network whose buffers are full. */
const UNDER_WAY_BYTES_MAX = 64 << 20;

interface Parcel {
  readonly dueAt: number;
  /** undefined: the sender says no more. */
  readonly chunk: Buffer | undefined;
}

/** Passes on what `from` receives to `to`, each byte `delayMs` later, and at last its end. Errors are the caller's. */
export function delayLine(from: Socket, to: Socket, delayMs: number): void {
  const parcels: Parcel[] = [];
  let underWayBytes = 0;
  let timer: Timer | undefined;
  let isBlocked = false;

  const deliver = (): void => {
    timer = undefined;
    const now = monotonicUs();
    let due = 0;
    for (const parcel of parcels) {
      if (parcel.dueAt > now || isBlocked || to.destroyed) break;
      due++;
      if (parcel.chunk === undefined) {
        to.end();
        break;
      }
      underWayBytes -= parcel.chunk.length;
      isBlocked = !to.write(parcel.chunk);
    }
    parcels.splice(0, due);
    if (from.isPaused() && underWayBytes < UNDER_WAY_BYTES_MAX / 2) from.resume();
    const next = parcels[0];
    if (next !== undefined && !isBlocked) timer = after((next.dueAt - now) / 1000, deliver);
  };
  const take = (chunk: Buffer | undefined): void => {
    parcels.push({ dueAt: monotonicUs() + delayMs * 1000, chunk });
    underWayBytes += chunk?.length ?? 0;
    if (underWayBytes >= UNDER_WAY_BYTES_MAX) from.pause();
    if (timer === undefined && !isBlocked) timer = after(delayMs, deliver);
  };

  from.on('data', take);
  from.on('end', () => {
    take(undefined);
  });
  to.on('drain', () => {
    isBlocked = false;
    if (timer === undefined) deliver();
  });
  to.on('close', () => {
    timer?.cancel();
    timer = undefined;
    parcels.length = 0;
  });
}
