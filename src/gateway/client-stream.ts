// One client of a gateway: what it said and is not in guest memory yet is kept, so that it can be said again; what the guest
// answers is passed on once. Counts are of bytes, and go round at 2^32. Knows the client's socket, and no node.
import type { Socket } from 'node:net';
import { PendingBytes } from '../shared/pending-bytes.js';
import { STREAM_BYTES_MAX } from '../shared/frame-limits.js';
import type { StreamMessage } from '../shared/wire/stream-frames.js';

export interface ClientStreamEvents {
  /** There is something to say of it. */
  say(message: StreamMessage): void;
  /** Bytes were passed on to the client, which has room for more. */
  passedOn(stream: ClientStream): void;
}

export class ClientStream {
  readonly number: number;
  readonly #socket: Socket;
  readonly #events: ClientStreamEvents;
  /** What the client said, from the byte that is counted `#acknowledged` on. */
  readonly #kept = new PendingBytes();
  #acknowledged = 0;
  /** Bytes of the guest that the client was given. */
  delivered = 0;
  /** It was heard of at the service. */
  isOpen = false;
  #last: 'nothing' | 'ended' | 'gone' = 'nothing';
  #isClosed = false;
  /** Bytes that it may have on their way; more is not read. */
  #room: number;

  constructor(number: number, socket: Socket, room: number, events: ClientStreamEvents) {
    this.number = number;
    this.#socket = socket;
    this.#room = room;
    this.#events = events;
    socket.on('data', (bytes: Buffer) => {
      this.#hear(bytes);
    });
    socket.on('drain', () => {
      events.passedOn(this);
    });
    socket.on('end', () => {
      this.#end('ended');
    });
    socket.on('close', () => {
      this.#end('gone');
    });
  }

  #hear(bytes: Buffer): void {
    const from = (this.#acknowledged + this.#kept.byteCount) >>> 0;
    this.#kept.push(bytes);
    if (this.#kept.byteCount >= this.#room) this.#socket.pause();
    this.#sayBytes(from, bytes);
  }

  #sayBytes(from: number, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += STREAM_BYTES_MAX)
      this.#events.say({
        name: 'STREAM_BYTES',
        stream: this.number,
        from: (from + at) >>> 0,
        bytes: bytes.subarray(at, at + STREAM_BYTES_MAX),
      });
  }

  #end(last: 'ended' | 'gone'): void {
    if (this.#isClosed || this.#last === 'gone' || this.#last === last) return;
    this.#last = last;
    this.#sayEnd();
  }

  #sayEnd(): void {
    if (this.#last === 'nothing') return;
    this.#events.say({ name: 'STREAM_END', stream: this.number, isGone: this.#last === 'gone' });
  }

  /** A service has it, or is to have it, with so many of its bytes: says the rest again. */
  goOn(inCount: number, room: number): void {
    this.#room = room;
    this.acknowledge(inCount);
    let from = this.#acknowledged;
    for (const bytes of this.#kept.pieces) {
      this.#sayBytes(from, bytes);
      from = (from + bytes.length) >>> 0;
    }
    this.#sayEnd();
  }

  /** Bytes up to `inCount` are in guest memory. */
  acknowledge(inCount: number): void {
    this.isOpen = true;
    const done = (inCount - this.#acknowledged) >>> 0;
    // Said of an earlier state of things.
    if (done > this.#kept.byteCount) return;
    this.#acknowledged = inCount;
    this.#kept.drop(done);
    if (this.#kept.byteCount < this.#room && this.#last === 'nothing' && this.#socket.isPaused())
      this.#socket.resume();
  }

  /** Bytes of the guest from the one that is counted `from` on: what the client has is not given to it again. */
  take(from: number, bytes: Buffer): 'passed on' | 'waits' | 'gap' {
    const known = (this.delivered - from) >>> 0;
    if (known > 2 ** 31) return 'gap';
    if (known >= bytes.length) return 'passed on';
    const fresh = bytes.subarray(known);
    this.delivered = (this.delivered + fresh.length) >>> 0;
    if (this.#last === 'gone') return 'passed on';
    return this.#socket.write(fresh) ? 'passed on' : 'waits';
  }

  /** The guest has closed it. */
  close(): void {
    this.#isClosed = true;
    this.#socket.end();
    this.#socket.resume();
  }

  /** The guest does not know it. */
  cut(): void {
    this.#isClosed = true;
    this.#socket.resetAndDestroy();
  }
}
