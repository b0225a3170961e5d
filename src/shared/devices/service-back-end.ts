// A service's outside: clients connect by TCP, each to a slot; what they say goes into its ring, what is answered to them.
// Knows rings and sockets, and no protocol of any service.
import type { Socket } from 'node:net';
import { DeviceRegister } from '../guest/devices/device-state.js';
import { SlotStatus } from '../guest/devices/slot-words.js';
import type { StreamPorts } from '../guest/devices/stream-ports.js';
import type { Address } from '../wire/sockets.js';
import { CLIENT_ENDS_MS_MAX, endSocket } from './closing.js';
import type { BackEnd } from './device-host.js';
import { PendingBytes } from '../pending-bytes.js';
import { Publication } from './publication.js';

/** A client's bytes wait here for room in its ring; with more than this it is not read from. */
const PENDING_BYTES_MAX = 256 << 10;
/** One slice takes no more out of a ring, so that it stays short however many there are. */
const TAKEN_BYTES_MAX = 64 << 10;

interface Client {
  readonly socket: Socket;
  /** What came and is not in the ring yet. */
  readonly pending: PendingBytes;
  /** What it says last, if it has: `ended`, it hears on; `gone`. */
  last: 'nothing' | 'ended' | 'gone';
  slot: number | undefined;
  /** What was taken out of its ring, until it is sent. */
  taken: Buffer | undefined;
  /** The kernel takes no more for now. */
  isBlocked: boolean;
  /** The guest is done with it: it is ended once all is sent. */
  isDone: boolean;
}

export class ServiceBackEnd implements BackEnd {
  readonly #ports: StreamPorts;
  readonly #registers: Float64Array;
  readonly #schedule: () => void;
  readonly #clients = new Set<Client>();
  /** Slots whose clients are gone while the guest is not done with them. */
  readonly #lost = new Set<number>();
  readonly #publication = new Publication();
  /** The guest has run here: before, there is nobody to talk to. */
  #isServed = false;

  constructor(ports: StreamPorts, registers: Float64Array, schedule: () => void) {
    this.#ports = ports;
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
    return this.#publication.open(address, connected, true);
  }

  /** The guest came from elsewhere: its clients did not, but for those that gateways carry here. Within a slice. */
  come(areCarried: boolean): void {
    for (let slot = 0; slot < this.#ports.connections; slot++) {
      if (this.#ports.status(slot) === SlotStatus.FREE) continue;
      if (areCarried && this.#ports.carrier(slot).gateway !== 0) continue;
      this.#ports.setStatus(slot, SlotStatus.LOST);
      this.#lost.add(slot);
    }
  }

  #connected(socket: Socket): void {
    if (!this.#isServed) {
      socket.destroy();
      return;
    }
    const client: Client = {
      socket,
      pending: new PendingBytes(),
      last: 'nothing',
      slot: undefined,
      taken: undefined,
      isBlocked: false,
      isDone: false,
    };
    this.#clients.add(client);
    socket.on('data', (bytes: Buffer) => {
      client.pending.push(bytes);
      if (client.pending.byteCount > PENDING_BYTES_MAX) socket.pause();
      this.#schedule();
    });
    socket.on('drain', () => {
      client.isBlocked = false;
      this.#schedule();
    });
    socket.on('end', () => {
      if (client.last === 'nothing') client.last = 'ended';
      this.#schedule();
    });
    socket.on('close', () => {
      client.last = 'gone';
      this.#schedule();
    });
    this.#schedule();
  }

  serve(): boolean {
    this.#isServed = true;
    let isNews = false;
    // First, as a client may wait for one of them, and nothing else may ever be a reason to look.
    for (const slot of this.#lost) {
      if (!this.#ports.isClosed(slot)) continue;
      this.#ports.free(slot);
      this.#lost.delete(slot);
    }
    for (const client of this.#clients) isNews = this.#serveClient(client) || isNews;
    return isNews;
  }

  // Answers whether the guest has reason to look.
  #serveClient(client: Client): boolean {
    let isNews = false;
    if (client.slot === undefined) {
      if (client.last === 'gone') {
        this.#clients.delete(client);
        return false;
      }
      const slot = this.#ports.open();
      // All slots are taken: it waits for one, as a backlog does.
      if (slot === undefined) return false;
      client.slot = slot;
      this.#registers[DeviceRegister.CONNECTIONS]!++;
      isNews = true;
    }
    const { slot } = client;
    isNews = this.#bringIn(client, slot) || isNews;
    isNews = this.#takeOut(client, slot) || isNews;
    return this.#settle(client, slot) || isNews;
  }

  #bringIn(client: Client, slot: number): boolean {
    const { pending, socket } = client;
    const byteCount = pending.give((bytes) => this.#ports.put(slot, bytes));
    this.#registers[DeviceRegister.BYTES_IN]! += byteCount;
    if (pending.byteCount === 0 && client.last === 'nothing' && socket.isPaused()) socket.resume();
    return byteCount > 0;
  }

  #takeOut(client: Client, slot: number): boolean {
    const waiting = this.#ports.waiting(slot);
    if (waiting === 0 || client.isBlocked || client.last === 'gone') return false;
    const bytes = Buffer.allocUnsafe(Math.min(waiting, TAKEN_BYTES_MAX));
    this.#ports.peek(slot, bytes);
    client.taken = bytes;
    this.#registers[DeviceRegister.BYTES_OUT]! += bytes.length;
    if (waiting > bytes.length) this.#schedule();
    return this.#ports.release(slot, bytes.length);
  }

  // The ends of a connection, on either side. Answers whether the guest has reason to look.
  #settle(client: Client, slot: number): boolean {
    const isClosed = this.#ports.isClosed(slot);
    if (client.last === 'gone') {
      this.#clients.delete(client);
      if (isClosed) this.#ports.free(slot);
      else {
        this.#ports.setStatus(slot, SlotStatus.LOST);
        this.#lost.add(slot);
      }
      return !isClosed;
    }
    if (isClosed && this.#ports.waiting(slot) === 0) {
      client.isDone = true;
      this.#ports.free(slot);
      return false;
    }
    if (
      client.last === 'ended' &&
      client.pending.byteCount === 0 &&
      this.#ports.status(slot) === SlotStatus.OPEN
    ) {
      this.#ports.setStatus(slot, SlotStatus.ENDED);
      return true;
    }
    return false;
  }

  send(): void {
    for (const client of this.#clients) {
      const { socket, taken } = client;
      if (taken !== undefined) {
        client.taken = undefined;
        client.isBlocked = !socket.write(taken);
      }
      if (!client.isDone) continue;
      this.#clients.delete(client);
      void endSocket(socket, CLIENT_ENDS_MS_MAX);
    }
  }

  close(): Promise<void> {
    return this.#publication.close(this.#clients);
  }
}
