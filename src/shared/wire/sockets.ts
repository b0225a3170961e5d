// Listening and dialling, with errors that say what to do. The only place that makes TCP connections.
// Knows nothing of frames.
import {
  createServer,
  connect,
  isIP,
  type OnReadOpts,
  type Server,
  type Socket,
  type TcpNetConnectOpts,
} from 'node:net';
import { MicrostunError } from '../errors.js';
import { KEEP_ALIVE_MS, ENDED_MS_MAX } from '../limits.js';
import { isLoopback, unmapped } from './security.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One of a row of ports that begins with `first`; any free one where that is 0. */
export function addressInRow(first: Address, index: number): Address {
  return { host: first.host, port: first.port === 0 ? 0 : first.port + index };
}

export interface SocketUse {
  /** A relay only passes bytes on: each direction ends by itself. */
  readonly isRelay?: boolean;
  /** Nobody on another host: clear text is not for the network. */
  readonly isThisHostOnly?: boolean;
}

export interface ListenUse extends SocketUse {
  /** That names the address on the command line. */
  readonly flag?: string | undefined;
}

/** All addresses of this host, by IPv6 and IPv4 alike; by IPv4 only where the host has no IPv6. */
export const ANY_HOST = '::';
const ANY_IPV4_HOST = '0.0.0.0';

/** The address of the peer; one that came by IPv4 to a socket for both is an IPv4 address. */
export function peerHostOf({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): string {
  return unmapped(remoteAddress);
}

/** The address of this host at which the peer came in, or from which it was dialled. */
export function localHostOf({ localAddress = '' }: Pick<Socket, 'localAddress'>): string {
  return unmapped(localAddress);
}

/** "host:port", with brackets where IPv6 needs them. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Listens on `address` (port 0 is any free one) and answers with the server and where it really listens.
 * @throws MicrostunError LISTEN_FAILED naming the address and the remedy.
 */
export async function listen(
  address: Address,
  onConnection: (socket: Socket) => void,
  { isRelay = false, isThisHostOnly = false, flag }: ListenUse = {},
): Promise<{ server: Server; address: Address }> {
  const trespass = isThisHostOnly ? clearTextTrespass('listening on', address) : undefined;
  if (trespass !== undefined) throw trespass;
  const server = makeServer(onConnection, isRelay);
  try {
    await bind(server, address, flag);
  } catch (error) {
    const code = error instanceof MicrostunError && (error.cause as NodeJS.ErrnoException).code;
    if (address.host !== ANY_HOST || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw error;
    await bind(server, { ...address, host: ANY_IPV4_HOST }, flag);
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has no address');
  return { server, address: { host: bound.address, port: bound.port } };
}

function makeServer(onConnection: (socket: Socket) => void, isRelay: boolean): Server {
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, allowHalfOpen: isRelay },
    (socket) => {
      ownErrors(socket);
      onConnection(socket);
    },
  );
  // Once it listens, a connection that cannot be accepted (no descriptor is free) is its caller's loss.
  server.on('error', () => undefined);
  return server;
}

function bind(server: Server, address: Address, flag?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      reject(new MicrostunError('LISTEN_FAILED', listenComplaint(address, error, flag), { cause: error }));
    };
    server.once('error', fail);
    server.listen(address.port, address.host, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

// A socket has an owner of its errors from here to its close, whoever holds it in between: without a listener, a peer
// that resets a connection which was only refused ends the process. What an error means, its close tells as well.
function ownErrors(socket: Socket): void {
  socket.on('error', () => undefined);
}

/** Sends what is queued and ends the socket in order, for `ENDED_MS_MAX` at the most; what still comes is thrown away. */
export function endSocket(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => {
    socket.destroy();
  }, ENDED_MS_MAX);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.end();
  // A close with unread bytes would be a reset, which may overtake our last words; and a paused socket sees no end.
  socket.resume();
}

/** How `address` is dialled. */
export function dialOptionsOf(address: Address): TcpNetConnectOpts {
  return { ...address, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
}

/**
 * Dials `address`. With `onread` the kernel's bytes go straight where it says.
 * @throws MicrostunError CONNECT_FAILED naming the address.
 */
export function dial(
  address: Address,
  timeoutMs: number,
  onread?: OnReadOpts,
  { isRelay = false, isThisHostOnly = false }: SocketUse = {},
): Promise<Socket> {
  const early = isThisHostOnly ? clearTextTrespass('dialling', address) : undefined;
  if (early !== undefined) return Promise.reject(early);
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...dialOptionsOf(address),
      allowHalfOpen: isRelay,
      ...(onread && { onread }),
    });
    ownErrors(socket);
    const refuse = (error: MicrostunError): void => {
      socket.destroy();
      reject(error);
    };
    const fail = (why: string, cause?: Error): void => {
      refuse(
        new MicrostunError('CONNECT_FAILED', `cannot connect to ${formatAddress(address)}: ${why}`, {
          cause,
        }),
      );
    };
    const timer = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms`);
    }, timeoutMs);
    const onError = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      fail(dialComplaint(error), error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      // A name may be another host's. Nothing has been said yet.
      const trespass = isThisHostOnly
        ? clearTextTrespass('dialling', { ...address, host: peerHostOf(socket) })
        : undefined;
      if (trespass === undefined) resolve(socket);
      else refuse(trespass);
    });
  });
}

/**
 * What is wrong with `doing` something with `address` in clear text: it is beyond this host. Of a name that cannot be told
 * before it is dialled.
 */
export function clearTextTrespass(doing: string, address: Address): MicrostunError | undefined {
  if (isLoopback(address.host) || (isIP(address.host) === 0 && doing === 'dialling')) return undefined;
  return new MicrostunError(
    'USAGE',
    `${doing} ${formatAddress(address)} would send a guest's memory over the network in clear text, to and from anybody; give both sides a key (microstun keygen, then --key-file) or certificates (--tls-cert, --tls-key, --tls-ca), or say --insecure on a network that you trust`,
  );
}

/** Why `address` cannot be listened on, and what to do about it with the flag that named it. */
export function listenComplaint(address: Address, error: NodeJS.ErrnoException, flag = '--listen'): string {
  const where = formatAddress(address);
  switch (error.code) {
    case 'EADDRINUSE':
      return `${where} is in use by another program; stop it or choose another port with ${flag}`;
    case 'EACCES':
      return `this user may not listen on ${where}; choose a port above 1023 with ${flag}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${where} is no address of this host; choose one of its own, or [::] for all, with ${flag}`;
    default:
      return `cannot listen on ${where}: ${error.message}`;
  }
}

export function dialComplaint(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'nobody listens there';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name is unknown';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no route to it';
    default:
      return error.message;
  }
}
