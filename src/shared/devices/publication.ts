// Where a device is published: a listening socket, and how those who came by it are let go at the end.
// Knows sockets; what is said on them is its back-end's.
import type { Server, Socket } from 'node:net';
import { listen, type Address } from '../wire/sockets.js';
import { endSocket, GUEST_ENDS_MS_MAX } from './closing.js';

export class Publication {
  #server: Server | undefined;

  /**
   * Listens; answers where. `isRelay`: each direction of a connection ends by itself.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(address: Address, connected: (socket: Socket) => void, isRelay: boolean): Promise<Address> {
    const { server, address: bound } = await listen(address, connected, { isRelay, flag: '--publish' });
    this.#server = server;
    return bound;
  }

  /** Takes nobody in any more; resolves when those who came are gone. */
  async close(came: Iterable<{ readonly socket: Socket }>): Promise<void> {
    this.#server?.close();
    await Promise.all(Array.from(came, ({ socket }) => endSocket(socket, GUEST_ENDS_MS_MAX)));
  }
}
