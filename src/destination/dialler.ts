// One connection to the source, which may be dialled again at any time: of all dials only the newest counts.
// Knows no frames; what dials, what measures time and what a socket can do are passed in.
import { asMicrostunError, MicrostunError, messageOf } from '../shared/errors.js';

/** What the dialler needs of a socket. */
export interface Dialled {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  destroy(): unknown;
}

/** A dial and the connection that came of it. */
export interface Attempt {
  /** Whether it is the newest and was not lost. What comes on any other counts for nothing. */
  readonly isCurrent: boolean;
  /** Whether it is current and its socket is the one in use: what the one before had half said is forgotten. */
  readonly isUp: boolean;
}

export interface DiallerOptions<Socket extends Dialled> {
  /** What it dials, as an error begins: "a page connection". */
  readonly name: string;
  /** The source is dialled again when it takes the connection and does not welcome us for so long. */
  readonly greetingMs: number;
  /** Resolves with a connected socket, or rejects: within a bounded time. */
  dial(attempt: Attempt): Promise<Socket>;
  /** Calls `fired` after `ms`, unless it is cancelled before. */
  after(ms: number, fired: () => void): { cancel(): void };
  /** The socket of the newest dial is up: whatever is read now comes from it. Says HELLO. */
  up(socket: Socket, attempt: Attempt): void;
  /** The newest dial failed, or its connection is lost. Told once an attempt; nothing more comes of it. */
  lost(error: MicrostunError): void;
}

/** Each dial is a generation of its own: with its socket, its timer for the greeting, and its end. */
interface Generation<Socket> extends Attempt {
  socket: Socket | undefined;
  greeting: { cancel(): void } | undefined;
}

export class Dialler<Socket extends Dialled> {
  readonly #options: DiallerOptions<Socket>;
  #current: Generation<Socket> | undefined;

  constructor(options: DiallerOptions<Socket>) {
    this.#options = options;
  }

  /** The socket in use, if one is up. */
  get socket(): Socket | undefined {
    return this.#current?.socket;
  }

  /** Dials. Whatever there was before, a connection or a dial under way, is superseded and no loss. */
  dial(): void {
    this.#drop();
    const isCurrent = (): boolean => this.#current === generation;
    const generation: Generation<Socket> = {
      socket: undefined,
      greeting: undefined,
      get isCurrent() {
        return isCurrent();
      },
      get isUp() {
        return isCurrent() && this.socket !== undefined;
      },
    };
    this.#current = generation;
    this.#options.dial(generation).then(
      (socket) => {
        this.#onDialled(generation, socket);
      },
      (error: unknown) => {
        this.lose(generation, error);
      },
    );
  }

  /** The source has welcomed the connection in use. */
  noteWelcome(): void {
    this.#current?.greeting?.cancel();
  }

  /** `attempt` is lost; if another has superseded it, that is nothing new and hurts nobody. */
  lose(attempt: Attempt, error: unknown): void {
    if (!attempt.isCurrent) return;
    this.#drop();
    this.#options.lost(asMicrostunError(error, 'CONNECTION_LOST'));
  }

  /** What is up, or being dialled, is lost. */
  loseCurrent(error: unknown): void {
    if (this.#current !== undefined) this.lose(this.#current, error);
  }

  /** Dials no more: what is up is closed, and so is what comes up later. */
  close(): void {
    this.#drop();
  }

  #onDialled(generation: Generation<Socket>, socket: Socket): void {
    const { name, greetingMs } = this.#options;
    socket.on('error', (error) => {
      this.lose(
        generation,
        new MicrostunError('CONNECTION_LOST', `${name} was lost: ${messageOf(error)}`, { cause: error }),
      );
    });
    if (!generation.isCurrent) {
      socket.destroy();
      return;
    }
    socket.on('close', () => {
      this.lose(generation, new MicrostunError('CONNECTION_LOST', `${name} was closed by the source`));
    });
    generation.socket = socket;
    generation.greeting = this.#options.after(greetingMs, () => {
      const why = `the source did not welcome ${name} within ${greetingMs} ms`;
      this.lose(generation, new MicrostunError('CONNECTION_LOST', why));
    });
    try {
      this.#options.up(socket, generation);
    } catch (error) {
      this.lose(generation, error);
    }
  }

  // It is not current any more before its socket closes: the close is no loss.
  #drop(): void {
    const dropped = this.#current;
    this.#current = undefined;
    dropped?.greeting?.cancel();
    dropped?.socket?.destroy();
  }
}
