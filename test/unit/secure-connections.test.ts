// Connections under TLS over real sockets, both ends: who is let in, who is not, and what either is told.
// Certificates are made here, by openssl, and live as long as the test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import type { Connection } from '../../src/shared/wire/connection.js';
import { dialConnection } from '../../src/shared/wire/dialling.js';
import { Door } from '../../src/shared/wire/door.js';
import { greet } from '../../src/shared/wire/greeting.js';
import { proofOf } from '../../src/shared/wire/pass.js';
import { Sessions } from '../../src/shared/wire/secure-socket.js';
import {
  pinnedTo,
  THIS_HOST_ONLY,
  type ExpectedPeer,
  type Security,
} from '../../src/shared/wire/security.js';
import type { Address } from '../../src/shared/wire/sockets.js';
import { PASS, TICKET } from '../support/passes.js';

const keyOf = (byte: number): Security => ({ kind: 'key', key: new Uint8Array(32).fill(byte) });
const KEY = keyOf(1);

const doors: Door[] = [];
const connections: Connection[] = [];

afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy();
  for (const door of doors.splice(0)) door.close();
});

interface Open {
  readonly address: Address;
  readonly dropped: MicrostunError[];
  /** Whether the last caller had proved that it is of the migration. */
  isProven: boolean | undefined;
  readonly accepted: Connection[];
}

// A door that welcomes everybody who greets, and echoes.
async function opened(security: Security): Promise<Open> {
  const open: Omit<Open, 'address'> = { dropped: [], isProven: undefined, accepted: [] };
  const door = new Door({
    called: (caller) => {
      open.isProven = caller.isOf({ ...PASS, security }, 'faults');
      const connection = caller.welcome();
      open.accepted.push(connection);
      connection.own({
        names: { own: 'the connection', peer: 'the peer' },
        reads: { take: (chunk) => connection.write([chunk]) },
        lost: () => undefined,
      });
    },
    dropped: (error) => open.dropped.push(error),
  });
  doors.push(door);
  return Object.assign(open, { address: await door.open({ host: '127.0.0.1', port: 0 }, security) });
}

interface Dialled {
  readonly connection: Connection;
  readonly hears: (bytes: number) => Promise<Buffer>;
}

// Dials, greets with a proof, and reads what comes after the welcome.
async function dialled(
  { address }: Open,
  security: Security,
  { isReadInPlace = false, binding = undefined as Uint8Array | undefined, sessions = new Sessions() } = {},
): Promise<Dialled> {
  const connection = await dialConnection(address, { timeoutMs: 5000, security, sessions, isReadInPlace });
  connections.push(connection);
  const heard: Buffer[] = [];
  let heardMore: () => void = () => undefined;
  const target = Buffer.alloc(1 << 16);
  const { migrationId } = PASS;
  await new Promise<void>((resolve, reject) => {
    const ticket = proofOf(TICKET, {
      role: 'faults',
      migrationId,
      index: 0,
      binding: binding ?? connection.binding,
    });
    greet(
      connection,
      { role: 'faults', migrationId, ticket },
      { own: 'the connection', peer: 'the door' },
      5000,
      () => {
        resolve();
        return {
          names: { own: 'the connection', peer: 'the door' },
          reads: {
            target,
            advance: (bytes) => {
              heard.push(Buffer.from(target.subarray(0, bytes)));
              heardMore();
            },
          },
          lost: reject,
        };
      },
      reject,
    );
  });
  return {
    connection,
    hears: async (bytes) => {
      while (Buffer.concat(heard).length < bytes)
        await new Promise<void>((resolve) => {
          heardMore = resolve;
        });
      return Buffer.concat(heard);
    },
  };
}

const refused = async (dial: Promise<unknown>): Promise<MicrostunError> => {
  const thrown: unknown = await dial.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(MicrostunError);
  return thrown as MicrostunError;
};

describe('two ends with the same key', () => {
  it.each([false, true])('carry what is said, also when it is read in place: %s', async (isReadInPlace) => {
    const open = await opened(KEY);
    const { connection, hears } = await dialled(open, KEY, { isReadInPlace });
    const said = Buffer.alloc(100_000, 'guest memory ');
    connection.write([said]);
    expect((await hears(said.length)).equals(said)).toBe(true);
    expect(open.isProven).toBe(true);
  });

  it('leave no timer behind that would end the connection later', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    const open = await opened(KEY);
    await dialled(open, KEY);
    const timers = set.mock.results.map(({ value }) => value as unknown);
    expect(timers.length).toBeGreaterThan(0);
    const ended = cleared.mock.calls.map(([timer]) => timer as unknown);
    expect(timers.filter((timer) => !ended.includes(timer))).toEqual([]);
    vi.restoreAllMocks();
  });

  it('count what is said and what goes over the wire apart', async () => {
    const open = await opened(KEY);
    const { connection, hears } = await dialled(open, KEY);
    const said = Buffer.alloc(100_000, 7);
    connection.write([said]);
    await hears(said.length);
    const { carriedBytes, greetingBytes, wireBytes } = connection;
    expect(carriedBytes).toBe(greetingBytes + 2 * said.length);
    // A record of TLS holds 16 KiB at the most and is 22 bytes longer than what it holds.
    expect(wireBytes - carriedBytes).toBeGreaterThanOrEqual(2 * Math.ceil(said.length / 16_384) * 22);
    expect(wireBytes - carriedBytes).toBeLessThan(4096);
    expect(open.accepted[0]!.wireBytes).toBe(wireBytes);
  });

  it('do not take a proof that was made for another connection', async () => {
    const open = await opened(KEY);
    const first = await dialled(open, KEY);
    await dialled(open, KEY, { binding: first.connection.binding });
    expect(open.isProven).toBe(false);
  });
});

describe('whoever has no key, or another', () => {
  it('is told so when it dials with another key', async () => {
    const open = await opened(KEY);
    const error = await refused(dialled(open, keyOf(2)));
    expect(error.code).toBe('UNAUTHORIZED');
    expect(error.message).toMatch(
      /cannot connect to 127\.0\.0\.1:\d+: the peer is not trusted: .*--key-file/,
    );
    expect(open.accepted).toEqual([]);
    expect(open.dropped.map(({ code }) => code)).toEqual(['UNAUTHORIZED']);
  });

  it.each([
    ['speaks clear text to a door with a key', THIS_HOST_ONLY, KEY],
    ['shakes hands at a door that speaks clear text', KEY, THIS_HOST_ONLY],
  ])('learns that when it %s', async (_, dialling, listening) => {
    const open = await opened(listening);
    const error = await refused(dialled(open, dialling));
    expect(error.message).toMatch(/key/);
    expect(open.accepted).toEqual([]);
  });

  it('is dropped when it cuts the handshake, wherever it does', async () => {
    const hello = await clientHello();
    for (const end of [1, 5, 100, hello.length]) {
      const open = await opened(KEY);
      const socket = connect(open.address);
      socket.on('error', () => undefined);
      socket.end(hello.subarray(0, end));
      await new Promise<void>((resolve) => {
        const looks = setInterval(() => {
          if (open.dropped.length === 0) return;
          clearInterval(looks);
          resolve();
        }, 5);
      });
      expect(open.accepted).toEqual([]);
      socket.destroy();
    }
  });
});

// What a dialler says first.
async function clientHello(): Promise<Buffer> {
  const { createServer } = await import('node:net');
  return new Promise((resolve) => {
    const server = createServer((socket: Socket) => {
      socket.once('data', (chunk) => {
        resolve(chunk);
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      dialConnection({ host: '127.0.0.1', port }, { timeoutMs: 5000, security: KEY }).catch(() => undefined);
    });
  });
}

const hasOpenssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasOpenssl)('two ends with certificates', () => {
  let folder = '';
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');

  /** A key and a certificate of `name` by `authority`, valid for so many days. */
  const makeCertificate = (name: string, authority: string, days = 2): void => {
    writeFileSync(path.join(folder, `${name}.ext`), `subjectAltName=DNS:${name}.test\n`);
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${authority}.pem`,
      '-CAkey',
      `${authority}.key`,
      '-CAcreateserial',
      '-days',
      `${days}`,
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  };

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'microstun-tls-'));
    for (const authority of ['ours', 'theirs'])
      openssl(
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        `/CN=${authority}`,
        '-days',
        '2',
        '-keyout',
        `${authority}.key`,
        '-out',
        `${authority}.pem`,
      );
    makeCertificate('alpha', 'ours');
    makeCertificate('beta', 'ours');
    makeCertificate('mallory', 'theirs');
    makeCertificate('old', 'ours', -1);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const certified = (name: string, peer: ExpectedPeer = { kind: 'named', names: [] }): Security => ({
    kind: 'certificates',
    certificate: read(`${name}.pem`),
    privateKey: read(`${name}.key`),
    authorities: read('ours.pem'),
    peer,
  });
  const named = (...names: string[]): ExpectedPeer => ({ kind: 'named', names });

  it('let each other in by name, and are spared the certificates when they meet again', async () => {
    const open = await opened(certified('beta', named('alpha.test')));
    const sessions = new Sessions();
    for (const meeting of [1, 2]) {
      const { connection, hears } = await dialled(open, certified('alpha', named('beta.test')), { sessions });
      connection.write([Buffer.from('hello')]);
      expect((await hears(5)).toString()).toBe('hello');
      expect(open.accepted).toHaveLength(meeting);
      expect(open.isProven).toBe(true);
      connection.destroy();
    }
    expect(sessions.last).toBeDefined();
  });

  it.each([
    [
      'is of another name',
      'alpha',
      named('gamma.test'),
      /it is|its certificate is of DNS:alpha\.test, not of gamma\.test/,
    ],
    ['is signed by an authority that is not ours', 'mallory', named(), /signed by none of the authorities/],
    ['has expired', 'old', named(), /has expired/],
  ])('refuse a caller whose certificate %s, and say so', async (_, caller, expected, why) => {
    const open = await opened(certified('beta', expected));
    const error = await refused(dialled(open, certified(caller)));
    expect(error.code).toBe('UNAUTHORIZED');
    expect(error.message).toMatch(why);
    expect(open.accepted).toEqual([]);
  });

  it.each([
    [
      'of another name',
      'beta',
      named('gamma.test'),
      /its certificate is of DNS:beta\.test, not of gamma\.test/,
    ],
    ['of an authority that is not ours', 'mallory', named(), /signed by none of the authorities/],
    ['that has expired', 'old', named(), /has expired/],
  ])('do not speak to a door with a certificate %s', async (_, listener, expected, why) => {
    const open = await opened(certified(listener));
    const error = await refused(dialled(open, certified('alpha', expected)));
    expect(error.code).toBe('UNAUTHORIZED');
    expect(error.message).toMatch(why);
    expect(open.accepted).toEqual([]);
  });

  it('refuse a caller without a certificate', async () => {
    const open = await opened(certified('beta'));
    const error = await refused(dialled(open, KEY));
    expect(error.code).toBe('UNAUTHORIZED');
    expect(open.accepted).toEqual([]);
  });

  it('speak only to the very certificate that was shown before, where that is pinned', async () => {
    const [beta, alpha] = [await opened(certified('beta')), await opened(certified('alpha'))];
    const { connection } = await dialled(beta, certified('alpha'));
    const pinned = pinnedTo(certified('alpha'), connection.peerCertificate);
    await dialled(beta, pinned);
    const error = await refused(dialled(alpha, pinned));
    expect(error.message).toContain('it is not the certificate that the control connection showed');
  });

  it('do not give themselves away to whoever has a certificate and should have a key', async () => {
    const open = await opened(certified('beta'));
    expect((await refused(dialled(open, KEY))).code).toBe('UNAUTHORIZED');
    const other = await opened(KEY);
    expect((await refused(dialled(other, certified('alpha')))).code).toBe('UNAUTHORIZED');
  });
});
