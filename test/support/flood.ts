// A crowd at a door that means harm: thousands of connections that are silent, slow, or cut what they say in the middle,
// and that come again as often as they are sent away.
// Knows sockets and bytes; who is at the door beside them is the tests'.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** How one of the crowd behaves: what it says at once, whether the rest comes byte by byte, and whether it hangs up. */
export interface FloodManner {
  readonly first: Uint8Array;
  readonly slowly?: Uint8Array;
  readonly isCut?: boolean;
}

export interface FloodOptions {
  readonly port: number;
  readonly count: number;
  /** The address that it comes from. */
  readonly from: string;
  readonly manners: readonly FloodManner[];
}

const BYTE_MS = 1000;
/** Dials that are under way at once: a kernel that throws them away would only delay everybody. */
const DIALS_MAX = 200;
/** Once all have come, those that were sent away come again at this rate: it shares two cores with a migration. */
const AGAIN_EACH_MS = 20;
const AGAIN_AT_ONCE = 10;

export class Flood {
  readonly #options: FloodOptions;
  readonly #sockets = new Set<Socket>();
  #dialling = 0;
  #nth = 0;
  #isOver = false;
  #isMade = false;
  #again: NodeJS.Timeout | undefined;
  #drip: NodeJS.Timeout | undefined;
  readonly #slow = new Map<Socket, { readonly rest: Uint8Array; said: number }>();
  /** Connections that were made, those that came again among them. */
  made = 0;

  constructor(options: FloodOptions) {
    this.#options = options;
  }

  /** Resolves once so many were made as there are to be. */
  async begin(): Promise<void> {
    this.#drip = setInterval(() => {
      for (const [socket, { rest, said }] of this.#slow) {
        socket.write(rest.subarray(said, said + 1));
        this.#slow.set(socket, { rest, said: said + 1 });
      }
    }, BYTE_MS);
    this.#fill();
    while (this.made < this.#options.count) await new Promise((resolve) => setTimeout(resolve, 10));
    this.#isMade = true;
    this.#again = setInterval(() => {
      for (let nth = 0; nth < AGAIN_AT_ONCE && this.#sockets.size < this.#options.count; nth++) this.#dial();
    }, AGAIN_EACH_MS);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#drip);
    clearInterval(this.#again);
    const left = [...this.#sockets];
    for (const socket of left) socket.destroy();
    await Promise.all(left.filter(({ closed }) => !closed).map((socket) => once(socket, 'close')));
  }

  #fill(): void {
    while (
      !this.#isMade &&
      !this.#isOver &&
      this.#dialling < DIALS_MAX &&
      this.#sockets.size < this.#options.count
    )
      this.#dial();
  }

  #dial(): void {
    const { port, from, manners } = this.#options;
    const manner = manners[this.#nth++ % manners.length]!;
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    this.#sockets.add(socket);
    this.#dialling++;
    let isDialling = true;
    const dialled = (): void => {
      if (isDialling) this.#dialling--;
      isDialling = false;
      this.#fill();
    };
    socket.on('error', () => undefined);
    // What it is told interests nobody.
    socket.resume();
    socket.once('connect', () => {
      this.made++;
      if (manner.first.length > 0) socket.write(manner.first);
      if (manner.slowly !== undefined) this.#slow.set(socket, { rest: manner.slowly, said: 0 });
      if (manner.isCut === true) socket.end();
      dialled();
    });
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#slow.delete(socket);
      dialled();
    });
  }
}
