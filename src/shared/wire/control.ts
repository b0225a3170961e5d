// The control connection as a driver sees it, whatever carries it: a socket, or the network of a simulation.
// Types only.
import type { MicrostunError } from '../errors.js';
import type { Message } from './messages.js';

/** A message and when its last byte was read, in `monotonicUs`. */
export interface Received {
  readonly message: Message;
  readonly receivedAt: number;
}

/** What a connection tells its owner; `closed` comes exactly once, last, with the reason if it was not asked for. */
export interface ControlEvents {
  received(received: Received): void;
  /** Messages that its owner was told of and has not looked at yet. */
  backlog?(): number;
  closed(error: MicrostunError | undefined): void;
}

export interface ControlConnection {
  /**
   * Queues a message; answers its bytes on the wire and when the first of them was given to the connection. Sends
   * nothing once the connection is closed.
   */
  send(message: Message): { readonly bytes: number; readonly sentAt: number };
  /** From now on a peer that says nothing for `ms` is taken for dead. */
  expectLife(ms: number): void;
  /** Sends what is queued and closes; the peer sees an orderly end, and is not waited for without end. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  /** Whether it was lost, or closed at once: what was queued never left. */
  readonly isDestroyed: boolean;
  /** Bytes that wait for the peer to read. */
  readonly queuedBytes: number;
  /** Bytes of whole frames that came in. */
  readonly receivedBytes: number;
  /** Bytes both ways, as what carries it counts them. */
  readonly carriedBytes: number;
  /** The same on the wire. */
  readonly wireBytes: number;
}

/** A connection that nobody owns yet: it may be lost and harms nobody, and nothing more of it is read. */
export interface UnclaimedConnection {
  /** The peer's address, without its port. */
  readonly peerHost: string;
  /** The address of this host at which it came in, or from which it was dialled. */
  readonly localHost: string;
  /** The SHA-256 of the certificate that it showed, if it did. */
  readonly peerCertificate: string | undefined;
  claim(events: ControlEvents): ControlConnection;
  drop(): void;
}
