// Both ends of a page connection over real sockets, one awaited and one dialled: either may be the source's, and neither
// owner can tell which it has, but for who has to dial again.
import { afterEach, describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import type { Connection } from '../../src/shared/wire/connection.js';
import { connectionEnd, type ConnectionEnd, type EndKind } from '../../src/shared/wire/connection-end.js';
import { NOTHING_ARRIVED } from '../../src/shared/wire/greeting.js';
import type { Address } from '../../src/shared/wire/sockets.js';
import { PASS } from '../support/passes.js';
import { until } from '../support/fixture-threads.js';

const ANY_PORT: Address = { host: '127.0.0.1', port: 0 };

const ends: ConnectionEnd[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end.close();
});

interface Side {
  readonly end: ConnectionEnd;
  readonly heard: string[];
  readonly lost: MicrostunError[];
  readonly connections: Connection[];
  readonly peerSaid: { round: number; regions: number }[];
  arrived: { round: number; regions: number };
  /** Said as soon as a connection is up. */
  opening: string;
}

function sideOf(kind: EndKind, { pass = {}, index = 1, isReadInPlace = false } = {}): Side {
  const side: Omit<Side, 'end'> = {
    heard: [],
    lost: [],
    connections: [],
    peerSaid: [],
    arrived: NOTHING_ARRIVED,
    opening: '',
  };
  const place = Buffer.alloc(64);
  const end = connectionEnd(kind, {
    names: { own: `the ${kind} connection`, peer: 'the peer' },
    role: 'pages',
    pass: { ...PASS, ...pass },
    index,
    isReadInPlace,
    listenFlag: '--page-listen',
    arrived: () => side.arrived,
    up: (connection, { round, regions }) => {
      side.connections.push(connection);
      side.peerSaid.push({ round, regions });
      if (side.opening !== '') end.connection?.write([Buffer.from(side.opening)]);
      return {
        target: place,
        advance: (byteCount) => side.heard.push(place.toString('utf8', 0, byteCount)),
      };
    },
    lost: (error) => side.lost.push(error),
  });
  ends.push(end);
  return Object.assign(side, { end });
}

async function connected(awaited: Side, dialled: Side): Promise<Address> {
  const at = await awaited.end.open(ANY_PORT);
  await dialled.end.open(at);
  await until(() => awaited.end.connection !== undefined && dialled.end.connection !== undefined);
  return at;
}

const hears = (side: Side, what: string): Promise<void> => until(() => side.heard.join('') === what);

describe('the two ends of a page connection', () => {
  it.each([
    ['is awaited', 'awaited'],
    ['dials', 'dialled'],
  ] as const)('tell each other what has arrived when the side that takes pages %s', async (_, taker) => {
    const [awaited, dialled] = [sideOf('awaited'), sideOf('dialled')];
    (taker === 'awaited' ? awaited : dialled).arrived = { round: 3, regions: 7 };
    await connected(awaited, dialled);
    const [taking, giving] = taker === 'awaited' ? [awaited, dialled] : [dialled, awaited];
    expect(giving.peerSaid).toEqual([{ round: 3, regions: 7 }]);
    expect(taking.peerSaid).toEqual([NOTHING_ARRIVED]);
  });

  it.each([true, false])(
    'count the same bytes of the greeting, also when both speak at once (read in place: %s)',
    async (isReadInPlace) => {
      const [awaited, dialled] = [sideOf('awaited'), sideOf('dialled', { isReadInPlace })];
      awaited.opening = 'pages';
      dialled.opening = 'answers';
      await connected(awaited, dialled);
      await Promise.all([hears(dialled, 'pages'), hears(awaited, 'answers')]);
      const [one, other] = [awaited.connections[0]!, dialled.connections[0]!];
      expect(one.greetingBytes).toBe(other.greetingBytes);
      expect(one.carriedBytes).toBe(one.greetingBytes + 'pagesanswers'.length);
      expect(other.carriedBytes).toBe(one.carriedBytes);
    },
  );

  it('are lost to each other once when one goes', async () => {
    const [awaited, dialled] = [sideOf('awaited'), sideOf('dialled')];
    await connected(awaited, dialled);
    const still = new MicrostunError('CONNECTION_LOST', 'nothing came');
    awaited.end.giveUp(still);
    awaited.end.giveUp(still);
    await until(() => dialled.lost.length > 0);
    expect(awaited.lost).toEqual([still]);
    expect(dialled.lost.map(({ message }) => message)).toEqual([
      'the dialled connection was closed by the peer',
    ]);
    expect([awaited.end.connection, dialled.end.connection]).toEqual([undefined, undefined]);
  });

  it('find each other again, whichever of them wants another connection', async () => {
    const [awaited, dialled] = [sideOf('awaited'), sideOf('dialled')];
    await connected(awaited, dialled);
    awaited.end.renew();
    // Who awaits has no other way to be dialled than to hang up: that is no loss to itself.
    await until(() => dialled.lost.length > 0);
    dialled.end.renew();
    await until(() => awaited.connections.length === 2);
    expect(awaited.lost).toEqual([]);
    dialled.end.renew();
    await until(() => awaited.connections.length === 3);
    expect(dialled.lost).toHaveLength(1);
    const [first, second] = awaited.connections;
    expect([first!.isDestroyed, second!.isDestroyed]).toEqual([true, true]);
  });

  it('say what is queued before they leave', async () => {
    for (const leaving of ['awaited', 'dialled'] as const) {
      const [awaited, dialled] = [sideOf('awaited'), sideOf('dialled')];
      await connected(awaited, dialled);
      const [goes, stays] = leaving === 'awaited' ? [awaited, dialled] : [dialled, awaited];
      goes.end.connection!.write([Buffer.from('the last word')]);
      goes.end.leave();
      await until(() => stays.lost.length > 0);
      expect([stays.heard.join(''), goes.lost]).toEqual(['the last word', []]);
    }
  });
});

describe('an end that awaits', () => {
  it.each([
    ['of another migration', { pass: { migrationId: '00000000-0000-4000-8000-000000000002' } }],
    ['of another number', { index: 2 }],
    ['that has not its ticket', { pass: { ticket: 'cd'.repeat(32) } }],
  ])('refuses a connection %s, and keeps the one that it has', async (_, other) => {
    const [awaited, dialled, stranger] = [sideOf('awaited'), sideOf('dialled'), sideOf('dialled', other)];
    const at = await connected(awaited, dialled);
    await stranger.end.open(at);
    await until(() => stranger.lost.length > 0);
    expect(stranger.lost[0]!.message).toContain('is expected here');
    expect([awaited.connections.length, awaited.end.connection?.isOpen]).toEqual([1, true]);
  });

  it('asks what has arrived only once nothing of the connection before is read', async () => {
    const [awaited, first, second] = [sideOf('awaited'), sideOf('dialled'), sideOf('dialled')];
    const at = await connected(awaited, first);
    let wasOpen: boolean | undefined;
    Object.defineProperty(awaited, 'arrived', {
      get: () => {
        wasOpen = awaited.connections[0]!.isOpen;
        return NOTHING_ARRIVED;
      },
    });
    await second.end.open(at);
    await until(() => awaited.connections.length === 2);
    expect(wasOpen).toBe(false);
  });

  it('names the flag that says where, if it cannot listen there', async () => {
    const [one, other] = [sideOf('awaited'), sideOf('awaited')];
    const at = await one.end.open(ANY_PORT);
    await expect(other.end.open(at)).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining('choose another port with --page-listen') as string,
    });
  });
});
