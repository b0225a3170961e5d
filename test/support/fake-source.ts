// A source that a test speaks for: says messages on a control connection, and waits for the destination's.
// Has no guest; whoever dials the ports that it names finds what the test put there.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { codeHashOf } from '../../src/shared/guest/programs/catalogue.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import { helloOf } from '../../src/shared/wire/greeting.js';
import { newTicket } from '../../src/shared/wire/pass.js';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageName,
  type MessageOf,
} from '../../src/shared/wire/messages.js';

type Prepare = MessageOf<'PREPARE'>;

/** A guest of one vCPU and 16 MiB that does nothing. */
export const idleGuest: Prepare['guest'] = {
  program: 'uniform',
  memoryBytes: 16 << 20,
  vcpus: 1,
  seed: 1,
  writeRate: 0,
  hotSetBytes: 0,
  residentBytes: 0,
  devices: [],
};

export class FakeSource {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #heard: string[] = [];
  #look = (): void => undefined;
  /** Why it was refused; empty if it was not. */
  refusal = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.#reader.consume(chunk)) {
        const message = decodeMessage(frame);
        this.#heard.push(message.name);
        if (message.name === 'REFUSAL') this.refusal = message.reason;
      }
      this.#look();
    });
  }

  /** Resolves once it is welcome. */
  static async dial(to: string): Promise<FakeSource> {
    const [host, port] = to.split(':');
    const socket = connect({ host: host!, port: Number(port) });
    await once(socket, 'connect');
    const source = new FakeSource(socket);
    source.say(helloOf({ role: 'control', migrationId: randomUUID(), ticket: newTicket() }));
    await source.hears('WELCOME');
    return source;
  }

  say(message: Message): void {
    this.#socket.write(Buffer.concat(encodeMessage(message)));
  }

  /** Says that it brings `guest`, whose pages are to be had at `port`. */
  prepare(port: number, guest: Partial<Prepare['guest']> = {}, more: Partial<Prepare> = {}): void {
    const all = { ...idleGuest, ...guest };
    this.say({
      name: 'PREPARE',
      guest: all,
      codeHash: codeHashOf(all.program) || '0'.repeat(64),
      touchedBytes: 65536,
      dials: 'destination',
      connections: 1,
      pagePorts: [port],
      faultPort: port,
      pageChecks: true,
      verifies: false,
      audits: false,
      auditAfterMs: 0,
      ...more,
    });
  }

  /** Says what is no frame. */
  babble(): void {
    this.#socket.write(Buffer.alloc(64, 0xff));
  }

  /** Resolves once it has heard such a message. */
  hears(name: MessageName): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (this.#heard.includes(name)) resolve();
      };
      this.#look();
    });
  }

  /** Is gone without a word. */
  cut(): void {
    this.#socket.resetAndDestroy();
  }
}
