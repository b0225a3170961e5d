// The gateway: clients talk to it, and it carries what they say to whichever node has the guest, over each of its moves.
// Knows streams and nodes; nothing of what the clients' protocol is, and nothing of migrations.
import { randomUUID } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { ProtocolError, type MicrostunError } from '../shared/errors.js';
import { after, type Timer } from '../shared/timers.js';
import { newTicket } from '../shared/wire/pass.js';
import type { Security } from '../shared/wire/security.js';
import { listen, type Address } from '../shared/wire/sockets.js';
import type { StreamMessage, StreamOwner } from '../shared/wire/stream-frames.js';
import { ClientStream } from './client-stream.js';
import { NodeLink, type GatewayIdentity } from './node-link.js';

/** What a client may say before anybody knows how much room the guest has. */
const FIRST_ROOM_BYTES = 16 << 10;

/** Clients wait for a guest that is nowhere for so long: it has given them up by then (carried-streams.ts). */
const GUEST_AWAY_MS_MAX = 60_000;

/** A node that has the guest, as it said. */
interface Owner {
  readonly link: NodeLink;
  readonly guest: number;
  readonly moves: number;
  readonly ringBytes: number;
}

export interface GatewayEvents {
  /** The guest is at a node, and so many clients go on there. */
  found(
    where: string,
    facts: { readonly moves: number; readonly clients: number; readonly isNew: boolean },
  ): void;
  /** Its node went away; clients wait. */
  missing(error: MicrostunError): void;
  unreachable(where: string, error: MicrostunError): void;
  /** It stayed away: so many clients were let go. */
  givenUp(clients: number): void;
}

export class Gateway {
  readonly #events: GatewayEvents;
  readonly #links: readonly NodeLink[];
  readonly #streams = new Map<number, ClientStream>();
  #owner: Owner | undefined;
  /** It has said on the connection that there is that it has the guest: before, it has no use for anything. */
  #isOwnerReady = false;
  #nextNumber = 1;
  #server: Server | undefined;
  /** While no node has the guest and clients wait. */
  #patience: Timer | undefined;
  /** Streams whose clients were given bytes that no service was told of. */
  readonly #unacknowledged = new Set<ClientStream>();

  constructor(nodes: readonly Address[], security: Security, events: GatewayEvents) {
    this.#events = events;
    const identity: GatewayIdentity = { id: randomUUID(), ticket: newTicket(), security };
    this.#links = nodes.map((node) => {
      const link: NodeLink = new NodeLink(node, identity, {
        said: (message) => {
          this.#hear(link, message);
        },
        lost: (error) => {
          if (this.#owner?.link !== link) return;
          this.#isOwnerReady = false;
          events.missing(error);
          this.#beginToWait();
        },
        unreachable: (error) => {
          events.unreachable(link.where, error);
        },
      });
      return link;
    });
  }

  /**
   * Looks for the guest, and listens for clients; answers where.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(address: Address): Promise<Address> {
    const { server, address: bound } = await listen(
      address,
      (socket) => {
        this.#come(socket);
      },
      { isRelay: true },
    );
    this.#server = server;
    for (const link of this.#links) void link.run();
    return bound;
  }

  /** Clients that are there. */
  get clients(): number {
    return this.#streams.size;
  }

  #come(socket: Socket): void {
    const number = this.#nextNumber++;
    const room = this.#owner?.ringBytes ?? FIRST_ROOM_BYTES;
    const stream = new ClientStream(number, socket, room, {
      say: (message) => {
        this.#say(message);
      },
      passedOn: (itself) => {
        this.#acknowledge(itself);
      },
    });
    this.#streams.set(number, stream);
    this.#say({ name: 'STREAM_OPEN', stream: number });
    this.#beginToWait();
  }

  #beginToWait(): void {
    if (this.#isOwnerReady || this.#streams.size === 0) return;
    this.#patience ??= after(GUEST_AWAY_MS_MAX, () => {
      this.#patience = undefined;
      this.#events.givenUp(this.#streams.size);
      for (const stream of this.#streams.values()) stream.cut();
      this.#streams.clear();
    });
  }

  // To whoever has the guest; to nobody while that is not known: then it is said once it is.
  #say(message: StreamMessage): void {
    if (this.#isOwnerReady) this.#owner?.link.say(message);
  }

  #hear(link: NodeLink, message: StreamMessage): void {
    if (message.name === 'STREAM_OWNER') {
      this.#find(link, message.owner);
      return;
    }
    // What a node says from which the guest has gone, its next one says again.
    if (this.#owner?.link !== link) return;
    switch (message.name) {
      case 'STREAM_BYTES':
        this.#passOn(message.stream, message.from, message.bytes);
        return;
      case 'STREAM_ACK':
        for (const [number, count] of message.counts) this.#streams.get(number)?.acknowledge(count);
        return;
      case 'STREAM_CLOSED':
        this.#streams.get(message.stream)?.close();
        this.#streams.delete(message.stream);
        this.#say({ name: 'STREAM_GONE', stream: message.stream });
        return;
      default:
        throw new ProtocolError(`${message.name} is not for a gateway`);
    }
  }

  #find(link: NodeLink, owner: StreamOwner): void {
    const before = this.#owner;
    const isSame = before?.guest === owner.guest;
    // Of two that say that they run it, whoever it came to last does; another guest is no match for one that is there.
    if (before !== undefined && before.link !== link) {
      if (isSame ? owner.moves <= before.moves : before.link.isUp) return;
    }
    this.#owner = { link, ...owner };
    this.#isOwnerReady = true;
    this.#patience?.cancel();
    this.#patience = undefined;
    const known = new Map(owner.streams.map((counts) => [counts.stream, counts]));
    for (const [number, stream] of this.#streams) {
      const counts = isSame || before === undefined ? known.get(number) : undefined;
      known.delete(number);
      if (counts !== undefined) {
        stream.goOn(counts.inCount, owner.ringBytes);
        this.#acknowledge(stream);
      } else if (stream.isOpen) {
        stream.cut();
        this.#streams.delete(number);
      } else {
        this.#say({ name: 'STREAM_OPEN', stream: number });
        stream.goOn(0, owner.ringBytes);
      }
    }
    for (const number of known.keys()) this.#say({ name: 'STREAM_GONE', stream: number });
    this.#events.found(link.where, { moves: owner.moves, clients: this.#streams.size, isNew: !isSame });
  }

  #passOn(number: number, from: number, bytes: Buffer): void {
    const stream = this.#streams.get(number);
    if (stream === undefined) return;
    const taken = stream.take(from, bytes);
    if (taken === 'gap')
      throw new ProtocolError(`the bytes of stream ${number} do not go on where they ended`);
    // One that does not take them holds the guest up: its ring fills, and no other's.
    if (taken === 'passed on') this.#acknowledge(stream);
  }

  // Together with what else is heard in this turn.
  #acknowledge(stream: ClientStream): void {
    if (this.#unacknowledged.size === 0) queueMicrotask(this.#sayArrived);
    this.#unacknowledged.add(stream);
  }

  readonly #sayArrived = (): void => {
    const counts = Array.from(this.#unacknowledged, ({ number, delivered }) => [number, delivered] as const);
    this.#unacknowledged.clear();
    this.#say({ name: 'STREAM_ACK', counts });
  };

  close(): void {
    this.#patience?.cancel();
    this.#server?.close();
    for (const stream of this.#streams.values()) stream.close();
    for (const link of this.#links) link.close();
  }
}
