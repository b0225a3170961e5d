// How a device's sockets end: what was written goes out, for a while; then they are closed all the same.
// Knows sockets only.
import type { Socket } from 'node:net';
import { after } from '../timers.js';

/** A client that does not take what was written to it in this time gets no more of it. */
const FLUSH_MS_MAX = 1000;

/** Ends `socket` once what was written is sent, whatever its peer does; resolves when it is closed. */
export function endSocket(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const limit = after(FLUSH_MS_MAX, () => {
      socket.destroy();
    });
    socket.once('close', () => {
      limit.cancel();
      resolve();
    });
    // Nobody reads it any more; unread bytes must not keep it from closing.
    socket.resume();
    socket.end(() => {
      socket.destroySoon();
    });
  });
}
