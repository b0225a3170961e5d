// What a capture of the ports shows of a guest, with a key and without; and what is said to whoever has none, or another.
import { mkdtempSync, chmodSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fillPattern, startsFree, WORDS_PER_PAGE } from '../../src/shared/guest/programs/pattern.js';
import {
  endAll,
  failureOf,
  ODD_PAGES,
  reportOf,
  runCli,
  startDestination,
  startSource,
  type Ended,
} from '../support/cli.js';
import { RecordingRelay } from '../support/recording-relay.js';

const SEED = 7;
/** Where in a page this guest never writes. */
const PIECE_FROM = 1536;
const PIECE_BYTES = 16;
const guest = ['--seed', `${SEED}`, '--guest', 'uniform', '--write-rate', '100', '--connections', '1'];

let folder: string;
let key: string;
let otherKey: string;
const relays: RecordingRelay[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'microstun-keys-'));
  [key, otherKey] = [path.join(folder, 'key'), path.join(folder, 'other')];
  for (const file of [key, otherKey]) expect((await runCli('keygen', file)).status).toBe(0);
});
afterEach(async () => {
  await endAll();
  for (const relay of relays.splice(0)) relay.stop();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Captured {
  readonly streams: readonly Buffer[];
  readonly source: Ended;
  readonly destination: Ended;
}

/** A migration of which every byte goes through a relay. */
async function captured(...security: readonly string[]): Promise<Captured> {
  // One for pages, one for faults.
  const relay = await RecordingRelay.start(2);
  relays.push(relay);
  const { listen, pageListen } = relay.destination;
  const common = ['--log-level', 'trace', ...security];
  const { destination } = await startDestination(
    ['--once', '--run-for', '0ms', '--page-listen', pageListen, ...common],
    listen,
  );
  const source = startSource(relay.address, '--dial', 'source', ...guest, ...common);
  const ends = { source: await source.ended, destination: await destination.ended };
  return { streams: relay.stop(), ...ends };
}

/** Of pages all over the guest, what surely leaves as it was made. */
const pieces: readonly Buffer[] = Array.from({ length: ODD_PAGES }, (_, page) => page)
  .filter((page) => page % 50 === 0 && !startsFree(page, SEED))
  .map((page) => {
    const words = new Int32Array(WORDS_PER_PAGE);
    fillPattern(words, page, SEED);
    return Buffer.from(words.buffer, PIECE_FROM, PIECE_BYTES);
  });

const piecesIn = (streams: readonly Buffer[]): number =>
  pieces.filter((piece) => streams.some((stream) => stream.includes(piece))).length;

/** Each HELLO has two of them, and hardly anything else does. */
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const GREETING_BYTES = 1024;
const showsGreeting = (stream: Buffer): boolean => UUID.test(stream.toString('latin1', 0, GREETING_BYTES));

/** RFC 8446, 5.2 and 6.1: close_notify; its head, two bytes, their type and the seal. */
const GOODBYE_BYTES = 5 + 2 + 1 + 16;

const lengthOf = (streams: readonly Buffer[]): number =>
  streams.reduce((total, stream) => total + stream.length, 0);

describe('a capture of all ports', () => {
  it('shows the guest where no key was given', async () => {
    const { streams, source } = await captured();
    const { bytes, settings } = reportOf(source);
    expect(settings.security).toBe('this-host');
    // Control, pages, faults; both directions.
    expect(streams).toHaveLength(6);
    expect(piecesIn(streams)).toBe(pieces.length);
    expect(streams.some(showsGreeting)).toBe(true);
    expect(bytes.wire).toBe(bytes.sockets);
    expect(bytes.wire).toBe(lengthOf(streams));
  });

  it('shows nothing of the guest, nor who greets whom, where both have the same key; nobody says the key', async () => {
    const { streams, source, destination } = await captured('--key-file', key);
    const { bytes, settings, audit } = reportOf(source);
    expect(settings.security).toBe('key');
    expect(audit?.passed).toBe(true);
    expect(streams).toHaveLength(6);
    expect(piecesIn(streams)).toBe(0);
    expect(streams.some(showsGreeting)).toBe(false);
    expect(bytes.wire).toBe(bytes.sockets + bytes.encryption);
    // Each end of a connection may say goodbye in a record of its own, when the report is written.
    const goodbyes = lengthOf(streams) - bytes.wire;
    expect([0, 1, 2, 3, 4, 5, 6].map((count) => count * GOODBYE_BYTES)).toContain(goodbyes);
    const digits = readFileSync(key, 'utf8').split('\n')[1]!;
    expect(digits).toHaveLength(64);
    for (const { stdout, stderr } of [source, destination]) expect(stdout + stderr).not.toContain(digits);
  });
});

describe('whoever has no key, or another', () => {
  it.each([
    ['another key', () => ['--key-file', key], () => ['--key-file', otherKey], /same --key-file/],
    ['no key, where one is wanted', () => ['--key-file', key], () => [], /key, or certificates/],
    ['a key, where none is', () => [], () => ['--key-file', key], /does not speak TLS.*key or certificates/],
  ])('with %s is told so at once', async (_, there, here, why) => {
    const { destination, to } = await startDestination(there());
    // Had it been tried again it would take this long.
    const ended = await startSource(to, ...here(), '--connect-timeout', '60s').ended;
    const { error, owner } = failureOf(ended);
    expect(error.code).toBe('UNAUTHORIZED');
    expect(error.message).toMatch(why);
    expect(owner).toBe('source');
    expect(ended.status).toBe(4);
    destination.kill('SIGTERM');
    await destination.ended;
  });

  it('talks to no other host', async () => {
    const ended = await startSource('192.0.2.1:7000').ended;
    expect(ended.status).toBe(2);
    expect(ended.stderr + ended.stdout).toMatch(/192\.0\.2\.1:7000 .*clear text.*--key-file.*--insecure/);
  });
});

describe('a key file', () => {
  it('that others may read is none', async () => {
    const file = path.join(folder, 'open');
    await runCli('keygen', file);
    chmodSync(file, 0o644);
    const { status, stderr } = await runCli('destination', '--listen', '127.0.0.1:0', '--key-file', file);
    expect(stderr).toMatch(/mode is 0644.*chmod 600/);
    expect(status).toBe(2);
  });

  it('is never overwritten', async () => {
    const before = readFileSync(key, 'utf8');
    const { status, stderr } = await runCli('keygen', key);
    expect(stderr).toContain('is there already');
    expect(status).not.toBe(0);
    expect(readFileSync(key, 'utf8')).toBe(before);
  });
});
