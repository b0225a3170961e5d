// Streams of gateways at a service: after a cut, or at another host, they go on by the counts that lie in guest memory.
import { beforeEach, describe, expect, it } from 'vitest';
import { CarriedStreams } from '../../src/shared/devices/carried-streams.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { DeviceRegister, REGISTERS_PER_DEVICE } from '../../src/shared/guest/devices/device-state.js';
import { deviceWindowsOf } from '../../src/shared/guest/devices/device-windows.js';
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { StreamPorts } from '../../src/shared/guest/devices/stream-ports.js';
import type { ServiceStreams } from '../../src/shared/guest/devices/streams.js';
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';
import type { Connection, ConnectionOwner } from '../../src/shared/wire/connection.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import {
  decodeStreamMessage,
  encodeStreamMessage,
  type StreamMessage,
} from '../../src/shared/wire/stream-frames.js';

const RING_BYTES = 4096;
const GATEWAY = 77;
const spec = {
  memoryBytes: 1 << 20,
  devices: [{ name: 'echo', kind: 'service' as const, connections: 2, ringBytes: RING_BYTES }],
};

/** A gateway's connection: what is said to it is gathered, in short. */
class FakeLink {
  #owner: ConnectionOwner | undefined;
  readonly #reader = new FrameReader();
  #heard: string[] = [];
  queuedBytes = 0;
  isDestroyed = false;

  own(owner: ConnectionOwner): void {
    this.#owner = owner;
  }
  write(parts: readonly Uint8Array[]): number {
    for (const frame of this.#reader.consume(Buffer.concat(parts)))
      this.#heard.push(inShort(decodeStreamMessage(frame)));
    return 0;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  end(): void {
    this.isDestroyed = true;
  }
  say(message: StreamMessage): void {
    const reads = this.#owner?.reads;
    if (reads === undefined || !('take' in reads)) throw new Error('nobody reads it');
    reads.take(Buffer.concat(encodeStreamMessage(message)));
  }
  lose(): void {
    this.#owner?.lost(new MicrostunError('CONNECTION_LOST', 'cut'));
  }
  heard(): string[] {
    const heard = this.#heard;
    this.#heard = [];
    return heard;
  }
}

function inShort(message: StreamMessage): string {
  switch (message.name) {
    case 'STREAM_OWNER': {
      const { guest, moves, streams } = message.owner;
      const counts = streams.map(
        ({ stream, inCount, outCount }) => `${stream} in ${inCount} out ${outCount}`,
      );
      return `OWNER of ${guest}, moves ${moves}: ${counts.join('; ')}`;
    }
    case 'STREAM_BYTES':
      return `${message.stream} from ${message.from}: ${message.bytes.toString()}`;
    case 'STREAM_ACK':
      return `ACK ${message.counts.map((counts) => counts.join(' to ')).join('; ')}`;
    default:
      return message.name;
  }
}

let memory: GuestMemory;
let registers: Float64Array;
let streams: ServiceStreams;
let ports: StreamPorts;
let carried: CarriedStreams;
let link: FakeLink;
/** What is to happen after so many milliseconds. */
let timers: { ms: number; elapsed: () => void }[];
let scheduled: number;

function newHost(): void {
  ports = new StreamPorts(memory, deviceWindowsOf(spec)[0]!);
  carried = new CarriedStreams(
    ports,
    registers,
    () => {
      scheduled++;
    },
    (ms, elapsed) => {
      const timer = { ms, elapsed };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
  );
}

function attach(): FakeLink {
  link = new FakeLink();
  carried.attach(GATEWAY, link as unknown as Connection);
  return link;
}

/** A slice, and what is sent after it. */
function serve(): string[] {
  carried.serve();
  carried.send();
  return link.heard();
}

const bytes = (stream: number, from: number, text: string): StreamMessage => ({
  name: 'STREAM_BYTES',
  stream,
  from,
  bytes: Buffer.from(text),
});
function read(slot: number): string {
  const target = new Uint8Array(RING_BYTES);
  return Buffer.from(target.subarray(0, streams.read(slot, target))).toString();
}

beforeEach(() => {
  timers = [];
  scheduled = 0;
  memory = createGuestMemory(viewMemory(allocateMemory(spec.memoryBytes)), {
    pageFires: 0,
    waitForPage: () => undefined,
  });
  registers = new Float64Array(REGISTERS_PER_DEVICE);
  registers[DeviceRegister.GUEST] = 5;
  streams = new GuestDevices(memory, spec).service('echo');
  newHost();
  attach();
});

describe('a stream of a gateway', () => {
  it('is opened, brings what its client says, and takes what the guest answers', () => {
    expect(serve()).toEqual(['OWNER of 5, moves 0: ']);
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    link.say(bytes(9, 0, 'hello'));
    expect(serve()).toEqual(['ACK 9 to 5']);
    expect([streams.state(0), read(0)]).toEqual(['open', 'hello']);
    streams.write(0, Buffer.from('answer'));
    expect(serve()).toEqual(['9 from 0: answer']);
    expect(ports.waiting(0)).toBe(6);
    link.say({ name: 'STREAM_ACK', counts: [[9, 4]] });
    expect(serve()).toEqual([]);
    expect(ports.waiting(0)).toBe(2);
  });

  it('goes on after a cut where guest memory has it: what was on its way is said again, by both sides', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    link.say(bytes(9, 0, 'hello'));
    serve();
    streams.write(0, Buffer.from('answer'));
    serve();
    link.say({ name: 'STREAM_ACK', counts: [[9, 2]] });
    serve();
    // This does not come into guest memory any more.
    link.say(bytes(9, 5, 'lost'));
    link.lose();
    attach();
    expect(serve()).toEqual(['OWNER of 5, moves 0: 9 in 5 out 2', '9 from 2: swer']);
    link.say(bytes(9, 5, ' again'));
    expect(serve()).toEqual(['ACK 9 to 11']);
    expect(read(0)).toBe('hello again');
  });

  it('goes on at another host, which knows it from guest memory alone', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    link.say(bytes(9, 0, 'hello'));
    serve();
    streams.write(0, Buffer.from('answer'));
    registers[DeviceRegister.MOVES] = 1;
    newHost();
    attach();
    expect(serve()).toEqual(['OWNER of 5, moves 1: 9 in 5 out 0', '9 from 0: answer']);
    expect([streams.state(0), read(0)]).toEqual(['open', 'hello']);
  });

  it('has its slot freed only once the gateway knows that the guest closed it', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    link.say({ name: 'STREAM_END', stream: 9, isGone: false });
    serve();
    expect(streams.state(0)).toBe('ended');
    streams.write(0, Buffer.from('bye'));
    streams.close(0);
    expect(serve()).toEqual(['9 from 0: bye']);
    link.say({ name: 'STREAM_ACK', counts: [[9, 3]] });
    expect(serve()).toEqual(['STREAM_CLOSED']);
    expect(serve()).toEqual([]);
    expect(ports.status(0)).not.toBe(0);
    link.say({ name: 'STREAM_GONE', stream: 9 });
    serve();
    expect(ports.status(0)).toBe(0);
  });

  it('that the gateway knows no more right before a cut has its slot freed after it', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    serve();
    streams.close(0);
    serve();
    link.say({ name: 'STREAM_GONE', stream: 9 });
    link.lose();
    attach();
    expect(serve()).toEqual(['OWNER of 5, moves 0: 9 in 0 out 0', 'STREAM_CLOSED']);
    link.say({ name: 'STREAM_GONE', stream: 9 });
    serve();
    expect(ports.status(0)).toBe(0);
  });

  it('whose client is gone is lost to the guest', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    serve();
    link.say({ name: 'STREAM_END', stream: 9, isGone: true });
    serve();
    expect(streams.state(0)).toBe('lost');
    streams.close(0);
    expect(serve()).toEqual(['STREAM_CLOSED']);
  });

  it('waits while all slots are taken', () => {
    serve();
    for (const stream of [1, 2, 3]) link.say({ name: 'STREAM_OPEN', stream });
    link.say(bytes(3, 0, 'third'));
    expect(serve()).toEqual(['ACK 1 to 0; 2 to 0']);
    streams.close(1);
    serve();
    link.say({ name: 'STREAM_GONE', stream: 2 });
    expect(serve()).toEqual(['ACK 3 to 5']);
    expect(read(1)).toBe('third');
  });

  it('is lost to the guest when its gateway stays away for a minute, and not before, though nothing else happens', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    serve();
    link.lose();
    serve();
    expect([streams.state(0), timers.map(({ ms }) => ms)]).toEqual(['open', [60_000]]);
    scheduled = 0;
    timers[0]!.elapsed();
    expect(scheduled).toBe(1);
    expect(carried.serve()).toBe(true);
    expect(streams.state(0)).toBe('lost');
    streams.close(0);
    carried.serve();
    expect(ports.status(0)).toBe(0);
  });

  it('is kept for a gateway that was lost before the guest came, and is back since', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    serve();
    // At the next host its gateway is there before the guest is, and gone again.
    timers = [];
    newHost();
    attach();
    link.lose();
    carried.serve();
    expect(timers).toHaveLength(1);
    attach();
    serve();
    expect([timers.length, streams.state(0)]).toEqual([0, 'open']);
  });

  it('that waits for a slot has it looked for again when one of a gateway after its own is freed', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 1 });
    const first = link;
    link = new FakeLink();
    carried.attach(GATEWAY + 1, link as unknown as Connection);
    serve();
    for (const stream of [8, 9]) link.say({ name: 'STREAM_OPEN', stream });
    serve();
    streams.close(0);
    first.say({ name: 'STREAM_GONE', stream: 1 });
    first.say({ name: 'STREAM_OPEN', stream: 2 });
    serve();
    first.say({ name: 'STREAM_OPEN', stream: 3 });
    serve();
    streams.close(1);
    link.say({ name: 'STREAM_GONE', stream: 8 });
    scheduled = 0;
    carried.serve();
    expect(scheduled).toBeGreaterThan(0);
  });

  it('is not lost when its gateway comes back in time', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    serve();
    link.lose();
    attach();
    expect(timers).toEqual([]);
    serve();
    expect(streams.state(0)).toBe('open');
  });

  it('that came with its guest is lost when its gateway does not find it here in a minute', () => {
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 9 });
    serve();
    newHost();
    serve();
    expect(streams.state(0)).toBe('open');
    timers[0]!.elapsed();
    serve();
    expect(streams.state(0)).toBe('lost');
  });

  it('leaves its slot to one that waits, of a gateway that is there, once its own has stayed away', () => {
    serve();
    for (const stream of [1, 2]) link.say({ name: 'STREAM_OPEN', stream });
    serve();
    link.lose();
    link = new FakeLink();
    carried.attach(GATEWAY + 1, link as unknown as Connection);
    serve();
    link.say({ name: 'STREAM_OPEN', stream: 3 });
    serve();
    timers[0]!.elapsed();
    serve();
    streams.close(0);
    expect(serve()).toEqual(['ACK 3 to 0']);
    expect(streams.state(0)).toBe('open');
  });
});

describe('what a gateway may not say', () => {
  const opened: StreamMessage = { name: 'STREAM_OPEN', stream: 9 };
  it.each<[string, StreamMessage[], RegExp]>([
    ['bytes that leave some out', [opened, bytes(9, 1, 'x')], /go on at 1/],
    ['bytes that came before', [opened, bytes(9, 0, 'x'), bytes(9, 0, 'x')], /go on at 0/],
    [
      'more than there is room for',
      [opened, bytes(9, 0, 'x'.repeat(65_536)), bytes(9, 65_536, 'x'.repeat(RING_BYTES + 1))],
      /more bytes on their way/,
    ],
    [
      'that bytes arrived which were not sent',
      [opened, { name: 'STREAM_ACK', counts: [[9, 1]] }],
      /were not sent/,
    ],
    ['what a service says', [{ name: 'STREAM_CLOSED', stream: 9 }], /does not belong/],
  ])('%s', (_, messages, complaint) => {
    serve();
    expect(() => {
      for (const message of messages) link.say(message);
    }).toThrow(complaint);
  });

  it('anything before it was told of the guest', () => {
    expect(() => {
      link.say(opened);
    }).toThrow(/was not told of the guest/);
  });

  it('more streams than any service has', () => {
    serve();
    expect(() => {
      for (let stream = 1; stream < 10_000; stream++) link.say({ name: 'STREAM_OPEN', stream });
    }).toThrow(/4096 streams/);
  });
});
