// A client of a key-value store that keeps the ledger of what was acknowledged: it writes one value after the other, goes on
// at whichever address answers when its connection ends, and knows afterwards what must be there.
// Knows bytes of Redis' protocol and nothing of microstun.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Keys that a client writes, one after the other. */
const KEYS = 64;
/** Between two tries to connect where nobody answered. */
const RETRY_MS = 1;
/** A store that answers nobody for so long is gone. */
const SILENCE_MS_MAX = 30_000;

/** What a client saw. */
export interface ClientView {
  readonly acknowledged: number;
  /** Connections that ended, or were refused, before they were to. */
  readonly errors: number;
  /** From each acknowledgement to the next, in milliseconds. */
  readonly gapsMs: readonly number[];
  /** From each write to its acknowledgement. */
  readonly latenciesMs: readonly number[];
}

export class StoreClient {
  readonly #name: string;
  readonly #ports: readonly number[];
  #place = 0;
  #socket: Socket | undefined;
  #isStopped = false;
  /** The newest value that was acknowledged for each key, and the newest that was sent. */
  readonly #acknowledged = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  #count = 0;
  #errors = 0;
  readonly #gapsMs: number[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #done: Promise<void>;

  /** Begins to write; `ports` of this host are where the store may be. */
  constructor(name: string, ports: readonly number[]) {
    this.#name = name;
    this.#ports = ports;
    this.#done = this.#write();
  }

  /** Ends after the write that is under way. */
  async stop(): Promise<ClientView> {
    this.#isStopped = true;
    await this.#done;
    this.#socket?.destroy();
    return {
      acknowledged: this.#count,
      errors: this.#errors,
      gapsMs: this.#gapsMs,
      latenciesMs: this.#latenciesMs,
    };
  }

  /** Reads all that it wrote; answers what was lost, a sentence each. */
  async findLost(): Promise<string[]> {
    const lost: string[] = [];
    for (const [key, acknowledged] of this.#acknowledged) {
      const reply = await this.#ask(['GET', key]);
      const value = Number(/^\$\d+\r\n(\d+)\r\n$/.exec(reply)?.[1]);
      // What was sent and not acknowledged may have been done or not.
      if (!(value >= acknowledged && value <= this.#sent.get(key)!))
        lost.push(`${key} was acknowledged as ${acknowledged}, and is ${JSON.stringify(reply)}`);
    }
    this.#socket?.destroy();
    return lost;
  }

  async #write(): Promise<void> {
    let acknowledgedAt = performance.now();
    for (let value = 1; !this.#isStopped; value++) {
      const key = `${this.#name}:${value % KEYS}`;
      this.#sent.set(key, value);
      const from = performance.now();
      const reply = await this.#ask(['SET', key, `${value}`]);
      if (reply !== '+OK\r\n') throw new Error(`a write was answered with ${JSON.stringify(reply)}`);
      const now = performance.now();
      this.#acknowledged.set(key, value);
      this.#count++;
      this.#latenciesMs.push(now - from);
      this.#gapsMs.push(now - acknowledgedAt);
      acknowledgedAt = now;
    }
  }

  /** Sends a command until it is answered, wherever that is. */
  async #ask(args: readonly string[]): Promise<string> {
    const request = `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
    const from = performance.now();
    while (performance.now() - from < SILENCE_MS_MAX) {
      const reply = await this.#askOnce(request);
      if (reply !== undefined) return reply;
      this.#errors++;
      this.#socket?.destroy();
      this.#socket = undefined;
      this.#place = (this.#place + 1) % this.#ports.length;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    throw new Error(`nobody answers at ${this.#ports.join(', ')}`);
  }

  async #askOnce(request: string): Promise<string | undefined> {
    try {
      this.#socket ??= await dial(this.#ports[this.#place]!);
      const socket = this.#socket;
      socket.write(request);
      let reply = '';
      while (!isWhole(reply)) {
        const [piece] = (await once(socket, 'data', { signal: endOf(socket) })) as [Buffer];
        reply += piece.toString();
      }
      return reply;
    } catch {
      return undefined;
    }
  }
}

const ends = new WeakMap<Socket, AbortController>();

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const end = new AbortController();
  ends.set(socket, end);
  for (const event of ['error', 'end', 'close'])
    socket.on(event, () => {
      end.abort();
    });
  await once(socket, 'connect', { signal: end.signal });
  return socket;
}

function endOf(socket: Socket): AbortSignal {
  return ends.get(socket)!.signal;
}

function isWhole(reply: string): boolean {
  return /^(?:[+:-][^\r]*\r\n|\$-1\r\n|\$\d+\r\n[^\r]*\r\n)$/.test(reply);
}
