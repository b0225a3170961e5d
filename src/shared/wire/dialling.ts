// Dialling a connection: a TCP socket, the handshake over it, and what is read going where its reader says.
// Knows no frames; who dials when is dialler.ts's and the control line's.
import type { OnReadOpts, Socket } from 'node:net';
import { asMicrostunError, MicrostunError } from '../errors.js';
import { Connection } from './connection.js';
import { Intake } from './intake.js';
import { secureDialled, type Sessions } from './secure-socket.js';
import { isThisHostOnly, type Security } from './security.js';
import { dial, dialOptionsOf, formatAddress, type Address } from './sockets.js';

export interface DialOptions {
  /** Connecting and the handshake each take no longer. */
  readonly timeoutMs: number;
  readonly security: Security;
  /** Of earlier connections to the same peer. */
  readonly sessions?: Sessions;
  /** What is read goes where the reader says, straight into guest memory. */
  readonly isReadInPlace?: boolean;
}

/**
 * Dials `address`, and shakes hands.
 * @throws MicrostunError CONNECT_FAILED, UNAUTHORIZED naming the address.
 */
export async function dialConnection(address: Address, options: DialOptions): Promise<Connection> {
  if (options.isReadInPlace !== true) {
    const [socket, tcp] = await dialSecurely(address, options);
    return new Connection(socket, undefined, tcp);
  }
  const intake = new Intake();
  let took: OnReadOpts['callback'] = () => false;
  const onread: OnReadOpts = {
    // Asked again after each read; memory of any kind will do, also shared.
    buffer: () => intake.target,
    callback: (byteCount, written) => took(byteCount, written),
  };
  const [socket, tcp] = await dialSecurely(address, options, onread);
  const connection = new Connection(socket, intake, tcp);
  took = (byteCount, written) =>
    connection.attempt(() => {
      intake.wrote(byteCount, written);
    });
  return connection;
}

// The socket to speak on, and the TCP socket beneath it where that can be seen.
async function dialSecurely(
  address: Address,
  { timeoutMs, security, sessions }: DialOptions,
  onread?: OnReadOpts,
): Promise<readonly [Socket, Socket | null]> {
  if (security.kind === 'none') {
    const socket = await dial(address, timeoutMs, onread, { isThisHostOnly: isThisHostOnly(security) });
    return [socket, socket];
  }
  const tcp = onread === undefined ? await dial(address, timeoutMs) : null;
  const way = tcp === null ? { to: dialOptionsOf(address), onread: onread! } : { socket: tcp };
  try {
    return [await secureDialled(way, security, timeoutMs, sessions), tcp];
  } catch (error) {
    const { code, message } = asMicrostunError(error, 'CONNECT_FAILED');
    throw new MicrostunError(code, `cannot connect to ${formatAddress(address)}: ${message}`, {
      cause: error,
    });
  }
}
