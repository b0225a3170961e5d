// A recorded migration said once more to a destination, by somebody who has no guest: the streams of its source, tampered
// with as the test likes, with ports and a migration id of its own.
// Knows the order in which a source speaks as far as a destination minds it; a pre-copy's, which needs no faults.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { FrameReader, FrameType, type FrameName } from '../../../src/shared/wire/frames.js';
import { decodeMessage, encodeMessage } from '../../../src/shared/wire/messages.js';
import { framesOf } from './mutations.js';
import type { RecordedConnection } from './recording.js';

/** Frames as they are to be said. */
export type TamperStream = (role: RecordedConnection['role'], frames: readonly Buffer[]) => readonly Buffer[];

/** Whoever is not answered within this says the next all the same: what was tampered with may have no answer. */
const ANSWER_MS_MAX = 1500;

export class Replay {
  readonly #recorded: readonly RecordedConnection[];
  readonly #tamper: TamperStream;
  readonly #sockets = new Set<Socket>();
  readonly #heard: FrameName[] = [];
  readonly #lookers = new Set<() => void>();
  readonly #migrationId = randomUUID();

  constructor(recorded: readonly RecordedConnection[], tamper: TamperStream) {
    this.#recorded = recorded;
    this.#tamper = tamper;
  }

  /** Says all of it to `port`; answers the names of the frames that came back. */
  async sayTo(port: number): Promise<readonly FrameName[]> {
    const server = createServer((socket) => {
      this.#answer(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const control = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#listenTo(control);
    await this.#speak(control, this.#controlFrames((server.address() as AddressInfo).port));
    await this.#hears(['RESUMED', 'REFUSAL'], control);
    for (const socket of this.#sockets) socket.destroy();
    server.close();
    return this.#heard;
  }

  #controlFrames(port: number): readonly Buffer[] {
    const control = this.#recorded.find(({ role }) => role === 'control')!;
    const frames = framesOf(control.fromSource).map((frame) => {
      const [whole] = new FrameReader().consume(frame);
      const message = decodeMessage(whole!);
      if (message.name === 'HELLO')
        return Buffer.concat(encodeMessage({ ...message, migrationId: this.#migrationId }));
      if (message.name !== 'PREPARE') return frame;
      const pagePorts = message.pagePorts.map(() => port);
      return Buffer.concat(encodeMessage({ ...message, pagePorts, faultPort: port }));
    });
    // Its farewell comes with its end.
    return this.#tamper('control', frames.slice(0, -1));
  }

  async #speak(control: Socket, frames: readonly Buffer[]): Promise<void> {
    for (const frame of frames) {
      if (control.destroyed) return;
      control.write(frame);
      if (frame[0] === FrameType.HELLO) await this.#hears(['WELCOME', 'REFUSAL'], control);
      if (frame[0] === FrameType.PREPARE) await this.#hears(['PREPARED', 'REFUSAL'], control);
    }
  }

  // A receiver or the fetcher dials: says what was recorded of its connection.
  #answer(socket: Socket): void {
    const reader = new FrameReader(['HELLO']);
    this.#keep(socket);
    socket.once('data', (chunk: Buffer) => {
      const [frame] = reader.consume(chunk);
      const hello = frame && decodeMessage(frame);
      if (hello?.name !== 'HELLO') return;
      const ofRole = this.#recorded.filter(({ role }) => role === hello.role);
      const connection = ofRole.find(
        ({ fromDestination }) => helloIn(fromDestination).index === hello.index,
      )!;
      this.#listenTo(socket);
      for (const one of this.#tamper(connection.role, framesOf(connection.fromSource))) socket.write(one);
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#look();
    });
  }

  #listenTo(socket: Socket): void {
    this.#keep(socket);
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      // What a destination says is never wrong.
      for (const { header } of reader.consume(chunk)) this.#heard.push(header.name);
      this.#look();
    });
  }

  #look(): void {
    for (const look of this.#lookers) look();
  }

  #hears(names: readonly FrameName[], socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#lookers.delete(look);
        resolve();
      };
      const timer = setTimeout(done, ANSWER_MS_MAX);
      const look = (): void => {
        if (socket.destroyed || names.some((name) => this.#heard.includes(name))) done();
      };
      this.#lookers.add(look);
      look();
    });
  }
}

function helloIn(stream: Buffer): { readonly index: number } {
  const hello = decodeMessage(new FrameReader().consume(framesOf(stream)[0]!)[0]!);
  if (hello.name !== 'HELLO') throw new Error(`a ${hello.name} began a recorded connection`);
  return hello;
}
