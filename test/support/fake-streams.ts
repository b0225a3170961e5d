// Streams of a service without a device: a test is all of its clients, and decides how much room there is.
// Keeps bytes outside of guest memory; otherwise as ServiceStreams.
import type { StreamState } from '../../src/shared/guest/devices/streams.js';
import type { Streams } from '../../src/shared/guest/programs/key-value/streams.js';

interface FakeSlot {
  state: StreamState;
  input: Buffer;
  output: Buffer[];
  outputBytes: number;
}

export class FakeStreams implements Streams {
  readonly connections: number;
  readonly ringBytes: number;
  /** Bytes that a ring of replies takes before the client reads. */
  room: number;
  readonly #slots: FakeSlot[];

  constructor(connections: number, ringBytes: number) {
    this.connections = connections;
    this.ringBytes = ringBytes;
    this.room = ringBytes;
    this.#slots = Array.from({ length: connections }, () => ({
      state: 'free',
      input: Buffer.alloc(0),
      output: [],
      outputBytes: 0,
    }));
  }

  /** The client's side: it connects if it has not yet, and sends what fits; answers how much. */
  send(slot: number, bytes: Uint8Array | string): number {
    const at = this.#slots[slot]!;
    if (at.state === 'free') at.state = 'open';
    const sent = Buffer.from(bytes as string, 'latin1').subarray(0, this.ringBytes - at.input.length);
    at.input = Buffer.concat([at.input, sent]);
    return sent.length;
  }

  /** What came for the client since it last looked. */
  receive(slot: number): Buffer {
    const at = this.#slots[slot]!;
    const received = Buffer.concat(at.output);
    at.output = [];
    at.outputBytes = 0;
    return received;
  }

  /** The client says no more, or is gone. */
  end(slot: number, state: 'ended' | 'lost'): void {
    this.#slots[slot]!.state = state;
  }

  state(slot: number): StreamState {
    return this.#slots[slot]!.state;
  }

  readable(slot: number): number {
    return this.#slots[slot]!.input.length;
  }

  peek(slot: number, target: Uint8Array): number {
    const { input } = this.#slots[slot]!;
    const byteCount = Math.min(input.length, target.length);
    target.set(input.subarray(0, byteCount));
    return byteCount;
  }

  consume(slot: number, byteCount: number): void {
    const at = this.#slots[slot]!;
    at.input = at.input.subarray(byteCount);
  }

  write(slot: number, source: Uint8Array): number {
    const at = this.#slots[slot]!;
    const byteCount = Math.min(source.length, Math.max(0, this.room - at.outputBytes));
    at.output.push(Buffer.from(source.subarray(0, byteCount)));
    at.outputBytes += byteCount;
    return byteCount;
  }

  close(slot: number): void {
    const at = this.#slots[slot]!;
    at.state = 'free';
    at.input = Buffer.alloc(0);
  }
}
