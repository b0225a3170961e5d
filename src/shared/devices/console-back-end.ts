// A console's outside: whoever connects by TCP sees the scroll-back and what follows, and what they type goes to the guest.
// Knows the console's port and sockets; what is typed is the guest's business.
import type { Socket } from 'node:net';
import type { ConsolePort } from '../guest/devices/console.js';
import { DeviceRegister } from '../guest/devices/device-state.js';
import type { Address } from '../wire/sockets.js';
import type { BackEnd } from './device-host.js';
import { PendingBytes } from '../pending-bytes.js';
import { Publication } from './publication.js';

/** What a viewer typed and the guest has not taken; with more than this it is not read from. */
const TYPED_BYTES_MAX = 4096;

interface Viewer {
  readonly socket: Socket;
  /** Counted round at 2^32; undefined: it has seen nothing. */
  seen: number | undefined;
  readonly typed: PendingBytes;
  /** What it is to be shown next. */
  taken: Uint8Array | undefined;
  isBlocked: boolean;
}

export class ConsoleBackEnd implements BackEnd {
  readonly #port: ConsolePort;
  readonly #registers: Float64Array;
  readonly #schedule: () => void;
  readonly #viewers = new Set<Viewer>();
  readonly #publication = new Publication();

  constructor(port: ConsolePort, registers: Float64Array, schedule: () => void) {
    this.#port = port;
    this.#registers = registers;
    this.#schedule = schedule;
  }

  /**
   * Listens; answers where.
   * @throws MicrostunError LISTEN_FAILED.
   */
  publish(address: Address): Promise<Address> {
    const connected = (socket: Socket): void => {
      this.#connected(socket);
    };
    return this.#publication.open(address, connected, false);
  }

  #connected(socket: Socket): void {
    const viewer: Viewer = {
      socket,
      seen: undefined,
      typed: new PendingBytes(),
      taken: undefined,
      isBlocked: false,
    };
    this.#viewers.add(viewer);
    socket.on('data', (bytes: Buffer) => {
      viewer.typed.push(bytes);
      if (viewer.typed.byteCount > TYPED_BYTES_MAX) socket.pause();
      this.#schedule();
    });
    socket.on('drain', () => {
      viewer.isBlocked = false;
      this.#schedule();
    });
    socket.on('close', () => {
      this.#viewers.delete(viewer);
    });
    this.#schedule();
  }

  serve(): boolean {
    let isNews = false;
    for (const viewer of this.#viewers) {
      isNews = this.#bringIn(viewer) || isNews;
      if (viewer.isBlocked) continue;
      if (viewer.seen === undefined) this.#registers[DeviceRegister.CONNECTIONS]!++;
      const before = viewer.seen ?? this.#port.oldest;
      if (before === this.#port.written && viewer.seen !== undefined) continue;
      const { bytes, written } = this.#port.since(before);
      viewer.seen = written;
      viewer.taken = bytes.length === 0 ? undefined : bytes;
      this.#registers[DeviceRegister.BYTES_OUT]! += bytes.length;
    }
    return isNews;
  }

  #bringIn(viewer: Viewer): boolean {
    const byteCount = viewer.typed.give((bytes) => this.#port.type(bytes));
    this.#registers[DeviceRegister.BYTES_IN]! += byteCount;
    if (viewer.typed.byteCount === 0 && viewer.socket.isPaused()) viewer.socket.resume();
    return byteCount > 0;
  }

  send(): void {
    for (const viewer of this.#viewers) {
      if (viewer.taken === undefined) continue;
      viewer.isBlocked = !viewer.socket.write(viewer.taken);
      viewer.taken = undefined;
    }
  }

  close(): Promise<void> {
    return this.#publication.close(this.#viewers);
  }
}
