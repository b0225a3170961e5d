// A gateway's client: nothing that it said is lost or said twice in guest memory, and nothing is given to it twice.
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { ClientStream } from '../../src/gateway/client-stream.js';
import type { StreamMessage } from '../../src/shared/wire/stream-frames.js';

class FakeSocket extends EventEmitter {
  readonly written: string[] = [];
  isStopped = false;
  isTaking = true;
  end(): void {
    this.written.push('END');
  }
  resetAndDestroy(): void {
    this.written.push('RESET');
  }
  pause(): void {
    this.isStopped = true;
  }
  resume(): void {
    this.isStopped = false;
  }
  isPaused(): boolean {
    return this.isStopped;
  }
  write(bytes: Uint8Array): boolean {
    this.written.push(Buffer.from(bytes).toString());
    return this.isTaking;
  }
}

let socket: FakeSocket;
let said: StreamMessage[];
let stream: ClientStream;
let passedOn: number;

beforeEach(() => {
  socket = new FakeSocket();
  said = [];
  passedOn = 0;
  stream = new ClientStream(7, socket as unknown as Socket, 10, {
    say: (message) => said.push(message),
    passedOn: () => passedOn++,
  });
});

/** What was said since this was last asked, in short. */
function heard(): string[] {
  const texts = said.map((message) =>
    message.name === 'STREAM_BYTES'
      ? `${message.from}:${message.bytes.toString()}`
      : `${message.name}${message.name === 'STREAM_END' && message.isGone ? ' gone' : ''}`,
  );
  said = [];
  return texts;
}

const says = (text: string): boolean => socket.emit('data', Buffer.from(text));

describe('a client of a gateway', () => {
  it('has what is not in guest memory said again to the next host, and no more', () => {
    says('abc');
    says('defg');
    stream.acknowledge(4);
    expect(heard()).toEqual(['0:abc', '3:defg']);
    stream.goOn(5, 10);
    expect(heard()).toEqual(['5:fg']);
    says('h');
    socket.emit('end');
    expect(heard()).toEqual(['7:h', 'STREAM_END']);
    stream.goOn(5, 10);
    expect(heard()).toEqual(['5:fg', '7:h', 'STREAM_END']);
  });

  it('is read no further than its room, and on once there is some', () => {
    says('0123456789');
    expect(socket.isStopped).toBe(true);
    stream.acknowledge(1);
    expect(socket.isStopped).toBe(false);
    // What is acknowledged of an earlier host does not count twice, and nothing that was not said.
    stream.acknowledge(1);
    stream.acknowledge(2 ** 31);
    expect(heard()).toEqual(['0:0123456789']);
    stream.goOn(1, 10);
    expect(heard()).toEqual(['1:123456789']);
  });

  it('is given each byte once, whichever host says it again', () => {
    expect(stream.take(0, Buffer.from('abcd'))).toBe('passed on');
    expect(stream.take(0, Buffer.from('abcd'))).toBe('passed on');
    expect(stream.take(2, Buffer.from('cdef'))).toBe('passed on');
    expect(stream.take(7, Buffer.from('h'))).toBe('gap');
    expect([socket.written, stream.delivered]).toEqual([['abcd', 'ef'], 6]);
  });

  it('has its counts go round', () => {
    stream.acknowledge(0);
    stream.delivered = 2 ** 32 - 2;
    expect(stream.take(2 ** 32 - 2, Buffer.from('abcd'))).toBe('passed on');
    expect(stream.delivered).toBe(2);
    expect(stream.take(2 ** 32 - 1, Buffer.from('bcde'))).toBe('passed on');
    expect(socket.written).toEqual(['abcd', 'e']);
  });

  it('that takes nothing more holds up its own stream, and says when it does', () => {
    socket.isTaking = false;
    expect(stream.take(0, Buffer.from('a'))).toBe('waits');
    expect(passedOn).toBe(0);
    socket.emit('drain');
    expect(passedOn).toBe(1);
  });

  it('that is gone is told of once, and takes what is still said to it in', () => {
    socket.emit('close');
    socket.emit('close');
    expect(heard()).toEqual(['STREAM_END gone']);
    expect(stream.take(0, Buffer.from('a'))).toBe('passed on');
    expect(socket.written).toEqual([]);
  });

  it('is closed in order by the guest, and reset where no guest knows it', () => {
    stream.close();
    socket.emit('close');
    expect([socket.written, heard()]).toEqual([['END'], []]);
    stream.cut();
    expect(socket.written).toEqual(['END', 'RESET']);
  });
});
