// A gateway's connection to one node: dialled again whenever it is lost, since a guest may come there at any time.
// Knows one address; which node has the guest is gateway.ts's to say.
import { asMicrostunError, type MicrostunError } from '../shared/errors.js';
import { GREETING_MS_MAX } from '../shared/limits.js';
import { sleepUnless } from '../shared/timers.js';
import type { Connection } from '../shared/wire/connection.js';
import { dialConnection } from '../shared/wire/dialling.js';
import { FrameReader } from '../shared/wire/frames.js';
import { greet } from '../shared/wire/greeting.js';
import type { Security } from '../shared/wire/security.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';
import {
  decodeStreamMessage,
  encodeStreamMessage,
  SERVICE_FRAMES,
  type StreamMessage,
} from '../shared/wire/stream-frames.js';

/** A node without a guest has nobody who listens there: it is looked for this often. */
const REDIAL_MS = 100;
const DIAL_MS_MAX = 2000;

export interface NodeLinkEvents {
  said(message: StreamMessage): void;
  /** Of a node that was connected. */
  lost(error: MicrostunError): void;
  /** It cannot be connected, for another reason than before. */
  unreachable(error: MicrostunError): void;
}

/** Who the gateway is, to services. */
export interface GatewayIdentity {
  readonly id: string;
  readonly ticket: string;
  readonly security: Security;
}

export class NodeLink {
  readonly where: string;
  readonly #address: Address;
  readonly #identity: GatewayIdentity;
  readonly #events: NodeLinkEvents;
  readonly #ending = new AbortController();
  #connection: Connection | undefined;
  #outbox: Uint8Array[] = [];

  constructor(address: Address, identity: GatewayIdentity, events: NodeLinkEvents) {
    this.where = formatAddress(address);
    this.#address = address;
    this.#identity = identity;
    this.#events = events;
  }

  /** Whether it is connected, to a node that may have the guest. */
  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** Keeps it connected until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.#ending;
    let complaint = '';
    while (!signal.aborted) {
      try {
        await this.#stay();
        complaint = '';
      } catch (error) {
        const why = asMicrostunError(error, 'CONNECT_FAILED');
        if (why.message !== complaint) this.#events.unreachable(why);
        complaint = why.message;
      }
      await sleepUnless(signal, REDIAL_MS);
    }
  }

  // Until the connection is lost that it makes.
  async #stay(): Promise<void> {
    const { id, ticket, security } = this.#identity;
    const connection = await dialConnection(this.#address, { timeoutMs: DIAL_MS_MAX, security });
    const names = { own: `the connection to ${this.where}`, peer: this.where };
    await new Promise<void>((resolve, reject) => {
      const reader = new FrameReader(SERVICE_FRAMES);
      greet(
        connection,
        { role: 'streams', migrationId: id, ticket },
        names,
        GREETING_MS_MAX,
        () => {
          this.#connection = connection;
          return {
            names,
            reads: {
              take: (chunk) => {
                for (const frame of reader.consume(chunk)) this.#events.said(decodeStreamMessage(frame));
              },
            },
            lost: (error) => {
              this.#connection = undefined;
              this.#events.lost(error);
              resolve();
            },
          };
        },
        reject,
      );
      if (this.#ending.signal.aborted) connection.destroy();
    });
  }

  /** Sends it, with all that is said in this turn. */
  say(message: StreamMessage): void {
    if (this.#outbox.length === 0) queueMicrotask(this.#send);
    this.#outbox.push(...encodeStreamMessage(message));
  }

  readonly #send = (): void => {
    const parts = this.#outbox;
    this.#outbox = [];
    this.#connection?.write(parts);
  };

  close(): void {
    this.#ending.abort();
    this.#connection?.end();
    this.#connection = undefined;
  }
}
