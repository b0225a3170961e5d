// One TCP connection from its making to its close, whatever it is for: it owns the socket, its errors, its end, its
// counts and its backpressure. Knows no frame; who dials and accepts is sockets.ts, what is said first greeting.ts.
import type { Socket } from 'node:net';
import { asMicrostunError, assert, MicrostunError, messageOf } from '../errors.js';
import type { ConnectionCounts } from './connection-watch.js';
import { Intake, type Reads } from './intake.js';
import { bindingOf, certificateOf } from './secure-socket.js';
import { endSocket, localHostOf, peerHostOf } from './sockets.js';
import { unacknowledgedBytes } from './unacknowledged-bytes.js';
import type { WaterMarks } from '../limits.js';

/** How sentences call a connection, and who is at its other end. */
export interface ConnectionNames {
  readonly own: string;
  readonly peer: string;
}

/** Who has a connection: what reads it, and who hears of its loss. */
export interface ConnectionOwner {
  readonly names: ConnectionNames;
  /** What it throws is wrong with the bytes that came: the connection is lost by it. */
  readonly reads: Reads;
  /** Told once, last; not when the owner ended it. The counts are whole, and the connection is closed after. */
  lost(error: MicrostunError): void;
  /** The peer closed it in order. Told instead of `lost` to an owner to whom that makes a difference. */
  closed?(): void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #intake: Intake;
  #owner: ConnectionOwner | undefined;
  /** Whether its owner was told of its loss, or ended it. Another that owns it after is told of a loss anew. */
  #isOver = false;
  #waiting: { readonly lowBytes: number; readonly resolve: () => void }[] = [];
  /** What the greeting took, both ways. */
  greetingBytes = 0;
  /** The TCP socket: beneath `#socket` where that is TLS, else the same. Node hides it where TLS is read in place. */
  readonly #tcp: Socket | null;

  /** Over a socket that is up. With an `intake` the socket is read in place and not here. `tcp`: what is beneath TLS. */
  constructor(socket: Socket, intake?: Intake, tcp: Socket | null = socket) {
    this.#socket = socket;
    this.#tcp = tcp;
    this.#intake = intake ?? new Intake();
    if (intake === undefined) {
      // Nothing is read before it has an owner.
      socket.pause();
      socket.on('data', (chunk: Buffer) => {
        this.attempt(() => {
          this.#intake.take(chunk);
        });
      });
    }
    socket.on('error', (error) => {
      this.#lose(error);
    });
    socket.on('close', this.#onClose);
  }

  /** Has a new owner, who reads what comes from now on. One that is lost already tells so a moment later. */
  own(owner: ConnectionOwner): void {
    this.#owner = owner;
    this.#isOver = false;
    this.#intake.switchTo(owner.reads);
    if (this.#socket.destroyed) setImmediate(this.#onClose);
    else this.resume();
  }

  /** The peer's address, without its port. */
  get peerHost(): string {
    return peerHostOf(this.#socket);
  }

  /** The address of this host that it goes to, or comes from. */
  get localHost(): string {
    return localHostOf(this.#socket);
  }

  /** The SHA-256 of the certificate that the peer showed, if it did. */
  get peerCertificate(): string | undefined {
    return certificateOf(this.#socket);
  }

  /** What only the two ends of this connection have in common; empty without TLS. */
  get binding(): Uint8Array {
    return bindingOf(this.#socket);
  }

  /** Whether it takes what is written: it was not lost, nor ended by either side. */
  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Whether it is closed: what was queued then, never left. */
  get isDestroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** Bytes that were written and that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  /** Bytes both ways, as the socket counts them: those that are queued are among them. */
  get carriedBytes(): number {
    return this.#socket.bytesWritten + this.#socket.bytesRead;
  }

  /** The same on the wire, where each record of TLS is longer than what it holds. */
  get wireBytes(): number {
    assert(this.#tcp !== null, 'whoever counts what TLS adds does not read in place');
    return this.#tcp.bytesWritten + this.#tcp.bytesRead;
  }

  /** What the kernel has taken, and what of that the peer's host has not acknowledged. */
  get counts(): ConnectionCounts {
    return {
      taken: this.#socket.bytesWritten - this.#socket.writableLength,
      unacknowledged: unacknowledgedBytes(this.#socket),
    };
  }

  /** Writes `parts` in one go; answers their bytes, none if it takes nothing any more. `taken`: the kernel has them. */
  write(parts: readonly Uint8Array[], taken?: () => void): number {
    const socket = this.#socket;
    if (!socket.writable) return 0;
    let bytes = 0;
    const last = parts.length - 1;
    const noteTaken = taken === undefined ? this.#noteTaken : this.#alsoNoting(taken);
    socket.cork();
    for (let index = 0; index <= last; index++) {
      const part = parts[index]!;
      bytes += part.byteLength;
      if (index === last) socket.write(part, noteTaken);
      else socket.write(part);
    }
    socket.uncork();
    return bytes;
  }

  /** Resolves when more may be written; at once while no more than `highBytes` are queued, and when it is lost. */
  async room({ highBytes, lowBytes }: WaterMarks): Promise<void> {
    if (this.#socket.writableLength <= highBytes || this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push({ lowBytes, resolve });
    });
  }

  /** Reads nothing more for now. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Calls `closed` when it is closed, by whomever. */
  onClosed(closed: () => void): void {
    this.#socket.once('close', closed);
  }

  /** Sends what is queued and closes in order; a peer that does not take it is not waited for without end. */
  end(): void {
    this.#isOver = true;
    endSocket(this.#socket);
  }

  /** Closes at once. */
  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  /** It is lost to its owner by `error`, and closed. */
  giveUp(error: MicrostunError): void {
    this.#tellLost((owner) => {
      owner.lost(error);
    });
    this.#socket.destroy();
  }

  /** Does what takes bytes in: if it throws what is wrong with them, the connection is lost by it. False once it is over. */
  attempt(take: () => void): boolean {
    if (this.#isOver) return false;
    try {
      take();
    } catch (error) {
      this.giveUp(asMicrostunError(error, 'PROTOCOL'));
    }
    return !this.#isOver;
  }

  #lose(error: Error): void {
    this.#tellLost((owner) => {
      owner.lost(
        new MicrostunError('CONNECTION_LOST', `${owner.names.own} was lost: ${messageOf(error)}`, {
          cause: error,
        }),
      );
    });
  }

  readonly #onClose = (): void => {
    // There is nothing more to wait for.
    this.#letGo(0);
    this.#tellLost((owner) => {
      const { own, peer } = owner.names;
      if (owner.closed !== undefined) owner.closed();
      else owner.lost(new MicrostunError('CONNECTION_LOST', `${own} was closed by ${peer}`));
    });
  };

  #tellLost(tell: (owner: ConnectionOwner) => void): void {
    const owner = this.#owner;
    if (this.#isOver || owner === undefined) return;
    this.#isOver = true;
    tell(owner);
  }

  readonly #noteTaken = (): void => {
    if (this.#waiting.length > 0) this.#letGo(this.#socket.writableLength);
  };

  #alsoNoting(taken: () => void): () => void {
    return () => {
      taken();
      this.#noteTaken();
    };
  }

  #letGo(queuedBytes: number): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ lowBytes }) => queuedBytes > lowBytes);
    for (const { lowBytes, resolve } of waiting) if (queuedBytes <= lowBytes) resolve();
  }
}
