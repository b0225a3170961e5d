// A source that comes back while its refused migration is still being closed at the destination.
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import { connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { hostHands } from '../../src/destination/hands.js';
import { destinationHere, doorOf } from '../../src/destination/host.js';
import { PHASE_LIMITS } from '../../src/destination/states/limits.js';
import type { GuestMachine } from '../../src/shared/guest/machine.js';
import type { Door } from '../../src/shared/wire/door.js';
import { FrameReader, PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageName,
} from '../../src/shared/wire/messages.js';
import { openHouse } from '../support/open-house.js';
import { examples } from './message-examples.js';

const [hello] = examples.HELLO;
const control: Message = { ...hello, version: PROTOCOL_VERSION, role: 'control', welcomedBy: '' };
const sockets: Socket[] = [];
let close: () => void = () => undefined;

afterEach(() => {
  close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** Greets `port`, again when it is hung up on, and resolves with the names of what it heard once `last` is among them. */
function greet(port: number, last: MessageName, says: readonly Message[]): Promise<MessageName[]> {
  const socket = connect({ host: '127.0.0.1', port });
  sockets.push(socket);
  const reader = new FrameReader();
  const heard: MessageName[] = [];
  return new Promise((resolve, reject) => {
    // As a source does that has lost its connection.
    socket.on('error', () => {
      greet(port, last, says).then(resolve, reject);
    });
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.consume(chunk)) {
        const { name } = decodeMessage(frame);
        heard.push(name);
        if (name === 'WELCOME')
          for (const message of says) socket.write(Buffer.concat(encodeMessage(message)));
        if (name === last) resolve(heard);
      }
    });
    socket.write(Buffer.concat(encodeMessage(control)));
  });
}

describe('a source whose migration was refused', () => {
  it('hears so when it comes back, although what was prepared is not closed yet', async () => {
    let closed: () => void = () => undefined;
    const logger = pino({ enabled: false });
    const hands = {
      ...hostHands(THIS_HOST_ONLY),
      machine: () =>
        ({
          // It is never ready, and its threads take their time to end.
          start: () => new Promise<void>(() => undefined),
          close: () => new Promise<void>((resolve) => (closed = resolve)),
        }) as unknown as GuestMachine,
    };
    await new Promise<void>((resolve, reject) => {
      const destination = destinationHere(
        {
          limits: {
            controlLostMs: 1000,
            pagesLostMs: 1000,
            retryMs: 1000,
            placementMs: 1000,
            farewellMs: 1000,
            endsWithoutPages: true,
            phases: PHASE_LIMITS,
          },
          ...openHouse,
          logger,
        },
        {
          places: 1,
          ended: () => {
            resolve();
          },
          broke: reject,
          placed: (migration) => migration,
        },
        hands,
      );
      const door = doorOf(destination, logger);
      close = () => {
        door.close();
      };
      talkTo(door).catch(reject);
    });
    async function talkTo(door: Door): Promise<void> {
      const { port } = await door.open({ host: '127.0.0.1', port: 0 });
      const [cancel] = examples.CANCEL;
      await greet(port, 'REFUSAL', [examples.PREPARE[0], cancel]);
      expect(await greet(port, 'REFUSAL', [])).toEqual(['WELCOME', 'REFUSAL']);
      closed();
    }
  });
});
