// A relay in front of a destination that records every byte of a migration: control, page and fault connections alike.
// Knows no frames. It stands at another address of the loopback with the destination's very port numbers, since a source
// dials the ports that it is told at the address that it was given.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Where the relay listens, and where the destination does. */
const RELAY_HOST = '127.0.0.1';
const FAR_HOST = '127.0.0.2';

/** Rows of ports that are tried: the next ones of a free port may be in use. */
const ROWS_TRIED = 20;

export class RecordingRelay {
  readonly #servers: readonly Server[];
  readonly #firstPort: number;
  readonly #sockets = new Set<Socket>();
  /** Of each connection, both directions. */
  readonly #streams: Buffer[][] = [];

  private constructor(servers: readonly Server[]) {
    this.#servers = servers;
    this.#firstPort = portOf(servers[0]!);
    for (const server of servers) {
      server.on('connection', (near) => {
        this.#passOn(near, portOf(server));
      });
    }
  }

  /** For control and so many page and fault connections. */
  static async start(connections: number): Promise<RecordingRelay> {
    for (let tried = 0; tried < ROWS_TRIED; tried++) {
      const servers: Server[] = [];
      try {
        for (let index = 0; index <= connections; index++)
          servers.push(await listening(servers.length === 0 ? 0 : portOf(servers[0]!) + index));
        return new RecordingRelay(servers);
      } catch {
        for (const server of servers) server.close();
      }
    }
    throw new Error('no row of ports is free');
  }

  /** What a source is to be told. */
  get address(): string {
    return `${RELAY_HOST}:${this.#firstPort}`;
  }

  /** Where the destination is to listen, and for what it is dialled for beside. */
  get destination(): { readonly listen: string; readonly pageListen: string } {
    return {
      listen: `${FAR_HOST}:${this.#firstPort}`,
      pageListen: `${FAR_HOST}:${this.#firstPort + 1}`,
    };
  }

  /** What was carried so far, by connection and direction; ends it all. */
  stop(): readonly Buffer[] {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    return this.#streams.map((chunks) => Buffer.concat(chunks));
  }

  #passOn(near: Socket, port: number): void {
    const far = connect({ host: FAR_HOST, port, noDelay: true, allowHalfOpen: true });
    this.#record(near, far);
    this.#record(far, near);
  }

  #record(from: Socket, to: Socket): void {
    const chunks: Buffer[] = [];
    this.#streams.push(chunks);
    this.#sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      to.write(chunk);
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => this.#sockets.delete(from));
  }
}

async function listening(port: number): Promise<Server> {
  const server = createServer({ noDelay: true, allowHalfOpen: true });
  server.listen(port, RELAY_HOST);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}
