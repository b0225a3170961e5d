// A client of a service or a console: what it says is sent, what it hears is gathered and waited for.
// Knows bytes only.
import { connect, type Socket } from 'node:net';

export class TcpClient {
  readonly #socket: Socket;
  #heard = Buffer.alloc(0);
  readonly #waiting = new Set<() => void>();
  #isClosed = false;
  #error: Error | undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.#socket.on('data', (bytes: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, bytes]);
      this.#look();
    });
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    for (const end of ['end', 'close'])
      this.#socket.on(end, () => {
        this.#isClosed = true;
        this.#look();
      });
  }

  /** Why it ended, if not by an end of its peer's. */
  get error(): Error | undefined {
    return this.#error;
  }

  get heard(): string {
    return this.#heard.toString();
  }

  say(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Says no more, and hears on. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Resolves with all that was heard once that `matches`; rejects when the connection ends before. */
  async hears(matches: (heard: string) => boolean, sought: string): Promise<string> {
    await this.#when(() => matches(this.heard), sought);
    return this.heard;
  }

  /** Resolves when the peer has ended, or cut, the connection. */
  async closed(): Promise<void> {
    await this.#when(() => this.#isClosed, 'an end');
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  #when(isSo: () => boolean, sought: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (isSo()) resolve();
        else if (this.#isClosed) reject(new Error(`the connection ended without ${sought}: ${this.heard}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
