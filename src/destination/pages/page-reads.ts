// Where the kernel writes what it reads from a page connection: into a buffer of the connection's own first, then
// wherever the receiver says. Knows no socket; node:net calls what is made here.
import type { OnReadOpts } from 'node:net';
import { FRAME_HEADER_BYTES } from '../../shared/wire/frames.js';
import type { Attempt } from '../dialler.js';
import type { PageReceiver } from './page-receiver.js';

/**
 * What node:net asks and tells for the connection of `attempt`. It asks for the first buffer when the dial begins,
 * while another connection may still be read into guest memory: what comes first on a connection, the header of its
 * first frame, is read into a buffer of its own. `took`: so many bytes came. `failed`: they make no sense.
 */
export function pageReads(
  receiver: Pick<PageReceiver, 'target' | 'advance'>,
  attempt: Attempt,
  took: (byteCount: number) => void,
  failed: (error: unknown) => void,
): Pick<OnReadOpts, 'callback'> & { buffer: () => Uint8Array } {
  const first = Buffer.alloc(FRAME_HEADER_BYTES);
  return {
    buffer: () => (attempt.isUp ? receiver.target : first),
    callback: (byteCount, buffer) => {
      if (!attempt.isUp) return false;
      try {
        took(byteCount);
        // Now the receiver, which began anew with this connection, waits for a header: it has room for all of this.
        if (buffer === first) receiver.target.set(first.subarray(0, byteCount));
        receiver.advance(byteCount);
      } catch (error) {
        failed(error);
        return false;
      }
      return true;
    },
  };
}
