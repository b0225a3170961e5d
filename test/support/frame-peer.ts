// One end of a connection in a test's hand: says frames as it is told to, right or wrong, and waits for those of the peer.
// Knows frames; what they mean is the test's.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameReader, type Frame, type FrameName } from '../../src/shared/wire/frames.js';

export class FramePeer {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(...this.#reader.consume(chunk));
      this.#wake?.();
    });
    socket.on('close', () => this.#wake?.());
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<FramePeer> {
    const socket = connect({ host, port, noDelay: true });
    const peer = new FramePeer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** The next frame, whatever it is; undefined once the connection is closed and all that came is told. */
  async hearsNext(): Promise<Frame | undefined> {
    while (this.#frames.length === 0 && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  /** The next frame, which must be a `name`. */
  async hears(name: FrameName): Promise<Frame> {
    const frame = await this.hearsNext();
    if (frame?.header.name !== name)
      throw new Error(`heard ${frame?.header.name ?? 'the end'}, and not ${name}`);
    return frame;
  }

  /** The next `name`, whatever comes before it. */
  async hearsAtLast(name: FrameName): Promise<Frame> {
    for (;;) {
      const frame = await this.hearsNext();
      if (frame === undefined) throw new Error(`heard the end, and no ${name}`);
      if (frame.header.name === name) return frame;
    }
  }

  say(...parts: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  /** Says the same again and again, and reads nothing, until its peer takes no more of it, or hangs up. */
  async floods(bytes: Uint8Array, stillMs: number): Promise<void> {
    const socket = this.#socket;
    socket.pause();
    while (!socket.destroyed && socket.writable) {
      if (socket.write(bytes)) continue;
      const isStill = await Promise.race([
        new Promise<boolean>((resolve) => {
          for (const event of ['drain', 'close'])
            socket.once(event, () => {
              resolve(false);
            });
        }),
        new Promise<boolean>((resolve) =>
          setTimeout(() => {
            resolve(true);
          }, stillMs),
        ),
      ]);
      if (isStill) return;
    }
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten;
  }

  /** It hangs up, in order or not. Resolves once the connection is closed. */
  async leave(how: 'in order' | 'at once' = 'in order'): Promise<void> {
    const closed = this.#socket.destroyed ? undefined : once(this.#socket, 'close');
    if (how === 'in order') this.#socket.end();
    else this.#socket.destroy();
    await closed;
  }
}
