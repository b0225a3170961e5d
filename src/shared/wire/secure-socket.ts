// TLS 1.3 over a socket that is up, on either end of it. The only place that has to do with Node's TLS.
// Knows no frames; where keys come from is cli/security.ts's.
import type { OnReadOpts, Socket, TcpNetConnectOpts } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createServer,
  TLSSocket,
  type ConnectionOptions,
  type Server,
} from 'node:tls';
import { MicrostunError } from '../errors.js';
import { HANDSHAKE_MS_MAX } from '../limits.js';
import { after } from '../timers.js';
import type { ExpectedPeer, Security } from './security.js';
import { dialComplaint } from './sockets.js';

/** What hides and proves something; the rest of `Security` is clear text. */
export type Secrets = Exclude<Security, { kind: 'none' }>;

/** AES with 128 bits in hardware is the fastest that TLS 1.3 has; SHA-256 is the only hash that a shared key goes with. */
const VERSION = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
} as const;

/** What the key of both sides is called in the handshake; there is only one. */
const KEY_IDENTITY = 'microstun';

/** RFC 8446, 7.5: what both ends of one connection can compute, and nobody else. */
const BINDING_LABEL = 'EXPORTER-microstun-connection';
const BINDING_BYTES = 32;

/** RFC 8446, 5.1: the first byte of a handshake. No frame of ours has this type. */
export const HANDSHAKE_RECORD = 22;

/** The last session with a peer: a connection that is made again to it is spared the certificates. */
export class Sessions {
  #last: Buffer | undefined;

  get last(): Buffer | undefined {
    return this.#last;
  }

  keep(session: Buffer): void {
    this.#last = session;
  }
}

/** Who is at the other end, as it proved; undefined without certificates. */
export function certificateOf(socket: Socket): string | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.fingerprint256 : undefined;
}

/** What only the two ends of this connection have in common; empty without TLS. */
export function bindingOf(socket: Socket): Uint8Array {
  return socket instanceof TLSSocket
    ? socket.exportKeyingMaterial(BINDING_BYTES, BINDING_LABEL, Buffer.alloc(0))
    : new Uint8Array(0);
}

/** The dialling end's way to the peer: a socket that is up, or an address, whose bytes can be read in place. */
export type Way =
  { readonly socket: Socket } | { readonly to: TcpNetConnectOpts; readonly onread: OnReadOpts };

/**
 * The dialling end: shakes hands with whoever is there. A socket is its from now on.
 * @throws MicrostunError UNAUTHORIZED when either end does not trust the other, CONNECT_FAILED when it did not come to that.
 */
export function secureDialled(
  way: Way,
  secrets: Secrets,
  timeoutMs: number,
  sessions?: Sessions,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // Its types do not know `onread`, which its documentation has.
    const options: ConnectionOptions & { onread?: OnReadOpts } = {
      ...VERSION,
      ...dialledBy(secrets, sessions?.last),
      ...('socket' in way ? way : { ...way.to, onread: way.onread }),
    };
    const secured = connect(options);
    const fail = (error: MicrostunError): void => {
      timer.cancel();
      secured.destroy();
      reject(error);
    };
    const timer = after(timeoutMs, () => {
      fail(new MicrostunError('CONNECT_FAILED', `the TLS handshake was not done within ${timeoutMs} ms`));
    });
    // It has an owner of its errors from here to its close.
    secured.on('error', (error: NodeJS.ErrnoException) => {
      fail(handshakeError(error, secrets));
    });
    secured.on('session', (session) => sessions?.keep(session));
    secured.once('secureConnect', () => {
      timer.cancel();
      resolve(secured);
    });
  });
}

function dialledBy(secrets: Secrets, session: Buffer | undefined): object {
  if (secrets.kind === 'key') {
    return {
      pskCallback: () => ({ psk: secrets.key, identity: KEY_IDENTITY }),
      // Whoever has the key shows no certificate, and one that shows one has no key.
      ca: [],
      checkServerIdentity: () => new Error('it shows a certificate and has not the key'),
    };
  }
  const { peer } = secrets;
  return {
    ...contextOf(secrets),
    ...(session && { session }),
    checkServerIdentity: (_: string, shown: { fingerprint256: string }) =>
      identityError(peer, shown as never),
  };
}

function contextOf({ certificate, privateKey, authorities }: Extract<Secrets, { kind: 'certificates' }>) {
  return { cert: certificate, key: privateKey, ca: authorities };
}

// What is wrong with a certificate that an authority has signed; undefined when it is the one that was expected.
function identityError(
  peer: ExpectedPeer,
  shown: Parameters<typeof checkServerIdentity>[1],
): Error | undefined {
  if (peer.kind === 'certificate') {
    return shown.fingerprint256 === peer.fingerprint256
      ? undefined
      : new Error('it is not the certificate that the control connection showed');
  }
  const { names } = peer;
  if (names.length === 0 || names.some((name) => checkServerIdentity(name, shown) === undefined))
    return undefined;
  return new Error(`its certificate is of ${shown.subjectaltname ?? 'nobody'}, not of ${names.join(' or ')}`);
}

/** The accepting end: shakes hands over sockets that were accepted. */
export class SecureEntrance {
  readonly #secrets: Secrets;
  readonly #server: Server;
  /** By the peer's address and port: whoever waits for its handshake. */
  readonly #waiting = new Map<string, Handshake>();

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
    // It does not listen: sockets are given to it.
    this.#server = createServer({
      ...VERSION,
      ...acceptedBy(secrets),
      handshakeTimeout: HANDSHAKE_MS_MAX,
      noDelay: true,
    });
    this.#server.on('secureConnection', (secured) => {
      secured.on('error', () => undefined);
      this.#waiting.get(endOf(secured))?.done(secured);
    });
    this.#server.on('tlsClientError', (error, secured) => {
      this.#waiting.get(endOf(secured))?.failed(handshakeError(error, secrets));
    });
  }

  /**
   * Whether whoever is there begins a handshake; waits for its first byte, and costs no more than the socket meanwhile.
   * @throws MicrostunError CONNECTION_LOST when none comes.
   */
  async beginsHandshake(socket: Socket): Promise<boolean> {
    await new Promise<void>((resolve, reject) => {
      const timer = after(HANDSHAKE_MS_MAX, () => socket.destroy());
      socket.once('close', () => {
        timer.cancel();
        reject(
          new MicrostunError('CONNECTION_LOST', 'the peer closed the connection before it said anything'),
        );
      });
      socket.once('readable', () => {
        timer.cancel();
        resolve();
      });
    });
    const first = socket.read() as Buffer | null;
    if (first === null) return false;
    socket.unshift(first);
    return first[0] === HANDSHAKE_RECORD;
  }

  /**
   * Shakes hands over `socket`, which is this one's from now on.
   * @throws MicrostunError UNAUTHORIZED, or CONNECTION_LOST when it did not come to that. The socket is closed then.
   */
  async take(socket: Socket): Promise<TLSSocket> {
    const end = endOf(socket);
    const timer = after(HANDSHAKE_MS_MAX, () => socket.destroy());
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(end, { done: resolve, failed: reject });
        socket.once('close', () => {
          reject(new MicrostunError('CONNECTION_LOST', 'the peer was not done with its TLS handshake'));
        });
        this.#server.emit('connection', socket);
      });
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      timer.cancel();
      this.#waiting.delete(end);
    }
  }

  /** What is wrong with who is at the other end, by its certificate; undefined when it may come in. */
  complaintOf(secured: TLSSocket): MicrostunError | undefined {
    if (this.#secrets.kind === 'key') return undefined;
    if (!secured.authorized) return unauthorized(whyNot(secured.authorizationError));
    const wrong = identityError(this.#secrets.peer, secured.getPeerCertificate());
    return wrong && unauthorized(wrong.message);
  }
}

interface Handshake {
  done(secured: TLSSocket): void;
  failed(error: MicrostunError): void;
}

function acceptedBy(secrets: Secrets): object {
  if (secrets.kind === 'key') {
    return {
      pskCallback: (_: unknown, identity: string) => (identity === KEY_IDENTITY ? secrets.key : null),
    };
  }
  // Whoever is not trusted is told so, in the greeting: a handshake that ends says nothing to the other end.
  return { ...contextOf(secrets), requestCert: true, rejectUnauthorized: false };
}

function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function unauthorized(why: string, cause?: Error): MicrostunError {
  return new MicrostunError('UNAUTHORIZED', `the peer is not trusted: ${why}`, { cause });
}

// Node gives its code, or what OpenSSL calls it; its types say that it is an error.
function whyNot(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return CERTIFICATE_COMPLAINTS[text] ?? text;
}

const CERTIFICATE_COMPLAINTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired; renew it',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; look at both clocks',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by none of the authorities in --tls-ca',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by none of the authorities in --tls-ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by none of the authorities in --tls-ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by none of the authorities in --tls-ca',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by none of the authorities in --tls-ca',
  INVALID_PURPOSE: 'its certificate is not for both ends of TLS (extendedKeyUsage clientAuth and serverAuth)',
};

/** What ended a handshake, in our words. */
function handshakeError(error: NodeJS.ErrnoException, secrets: Secrets): MicrostunError {
  const { code = '', message, syscall } = error;
  if (syscall === 'connect' || syscall === 'getaddrinfo')
    return new MicrostunError('CONNECT_FAILED', dialComplaint(error), { cause: error });
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return unauthorized('it does not speak TLS; give both sides a key or certificates', error);
  if (code === 'ECONNRESET' || code === 'ERR_TLS_HANDSHAKE_TIMEOUT' || code === 'EPIPE')
    return new MicrostunError(
      'CONNECTION_LOST',
      'the peer ended the TLS handshake: it may have no key or certificates; give both sides the same',
      { cause: error },
    );
  if (secrets.kind === 'key')
    return unauthorized(
      `it has another key, or certificates; give both sides the same --key-file (${code || message})`,
      error,
    );
  return unauthorized(CERTIFICATE_COMPLAINTS[code] ?? message, error);
}
