// How a device's sockets end: what was written goes out, for a while; then they are closed all the same.
// Knows sockets only.
import type { Socket } from 'node:net';
import { after } from '../timers.js';

/** A client that the guest is done with has so long to take what was written to it, and to hang up. */
export const CLIENT_ENDS_MS_MAX = 60_000;
/** Nobody waits for longer when the guest has left, or ends. */
export const GUEST_ENDS_MS_MAX = 1000;

/** Ends `socket` once what was written is sent; resolves when it is closed, by its peer or after `msMax`. */
export function endSocket(socket: Socket, msMax: number): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const limit = after(msMax, () => {
      socket.destroy();
    });
    socket.once('close', () => {
      limit.cancel();
      resolve();
    });
    // What it still says is read and nobody's: closed with that unread, its peer would lose what is on its way there.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
  });
}
