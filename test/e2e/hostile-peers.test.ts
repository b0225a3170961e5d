// Peers that mean harm, each by name: whatever they say after they were let in, the destination refuses it, has nothing
// left of it, and takes the next guest. Who is not let in: doors.test.ts, flood.test.ts; who stalls or cuts: fault-matrix.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ANSWERS_QUEUED } from '../../src/shared/limits.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { encodeFrame, encodeHeader } from '../../src/shared/wire/frames.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { encodeMark, encodePageSent, encodeRegionHead, PUSHED } from '../../src/shared/wire/page-frames.js';
import {
  encodeAnnouncement,
  encodeHandOver,
  encodeRegions,
  type HandOver,
} from '../../src/shared/wire/switch-over-frames.js';
import { endAll, reportOf, startDestination, startSource, type CliProcess } from '../support/cli.js';
import { HOSTILE_PAGES, HOSTILE_VCPUS, HostileSource } from '../support/hostile-source.js';
import { bitmapOf } from '../support/take-over-site.js';
import { allPages, guestOf, regionsOf, sealed, somePages, write } from '../unit/page-fixtures.js';

const STAYS = ['--max-guests', '4', '--run-for', '0ms', '--reconnect-timeout', '500ms'];

let destination: CliProcess;
let port: number;
let before: ReturnType<typeof holdings>;
const sources: HostileSource[] = [];

beforeAll(async () => {
  const started = await startDestination(STAYS, undefined, 600_000);
  destination = started.destination;
  port = Number(started.to.split(':')[1]);
  // What is made once is made now.
  const first = await prepared();
  first.say({ name: 'CANCEL', code: 'CANCELLED', reason: 'only to warm up' });
  await first.isRefused();
  await first.leave();
  before = holdings();
});

afterEach(async () => {
  for (const source of sources.splice(0)) await source.leave();
});
afterAll(endAll);

function holdings(): { descriptors: number; threads: number; residentKib: number } {
  if (process.platform !== 'linux') return { descriptors: 0, threads: 0, residentKib: 0 };
  const proc = `/proc/${destination.pid}`;
  return {
    descriptors: readdirSync(`${proc}/fd`).length,
    threads: readdirSync(`${proc}/task`).length,
    residentKib: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`${proc}/status`, 'utf8'))![1]),
  };
}

async function greeted(migrationId?: string): Promise<HostileSource> {
  const source = await HostileSource.greet(port, migrationId);
  sources.push(source);
  return source;
}

async function prepared(changes: Parameters<HostileSource['prepare']>[0] = {}): Promise<HostileSource> {
  const source = await greeted();
  await source.prepare(changes);
  return source;
}

/** Nothing is left of who was refused; that the next one is let in, the next test shows. */
async function isUnharmed(): Promise<void> {
  for (const source of sources.splice(0)) await source.leave();
  await vi.waitFor(
    () => {
      const { descriptors, threads } = holdings();
      expect(descriptors).toBeLessThanOrEqual(before.descriptors);
      expect(threads).toBeLessThanOrEqual(before.threads);
    },
    { timeout: 20_000, interval: 20 },
  );
}

const bytesOf = (message: Message): Buffer => Buffer.concat(encodeMessage(message));

describe('a source that is welcome', () => {
  it.each<[string, Uint8Array]>([
    ['announces a frame of 4 GiB', Buffer.from([4, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0])],
    ['sends noise', Buffer.alloc(5000, 0xa5)],
    ['sends pages where messages belong', encodeMark('ROUND_END', 0, 0)],
    ['damages a message', bytesOf({ name: 'FAREWELL' }).fill(1, 11)],
  ])('and %s is hung up on', async (_what, bytes) => {
    const source = await greeted();
    source.control.say(bytes);
    while ((await source.control.hearsNext()) !== undefined);
    await isUnharmed();
  });

  it.each<[string, Message]>([
    ['says farewell at once', { name: 'FAREWELL' }],
    ['says that it is prepared', { name: 'PREPARED' }],
    ['greets once more', { name: 'PONG', sentAt: 1, answeredAt: 2 }],
  ])('and %s is refused', async (_what, message) => {
    const source = await greeted();
    source.say(message);
    expect(await source.isRefused()).toMatchObject({ code: 'PROTOCOL' });
    await isUnharmed();
  });

  it('and brings a program by its path is refused', async () => {
    const source = await greeted();
    const guest = {
      program: '/etc/passwd',
      memoryBytes: 4096,
      vcpus: 1,
      seed: 0,
      writeRate: 0,
      hotSetBytes: 0,
      residentBytes: 0,
      devices: [],
    };
    await source.prepare({ guest }).catch(() => undefined);
    await isUnharmed();
  });
});

describe('a source that speaks for the migration of another', () => {
  it('and has not its ticket is refused, and the other goes on', async () => {
    const source = await prepared();
    await expect(HostileSource.greet(port, source.migrationId, 'cd'.repeat(32))).rejects.toThrow(
      'heard REFUSAL',
    );
    source.say({ name: 'PING', sentAt: 1 });
    await source.control.hears('PONG');
    source.say({ name: 'CANCEL', code: 'CANCELLED', reason: 'it was only to be seen' });
    await source.isRefused();
    await isUnharmed();
  });
});

describe('pages that mean harm', () => {
  const guest = guestOf(HOSTILE_PAGES);
  write(guest, 3, 1);
  const region = (changes: { at?: [number, number]; flags?: number } = {}): Buffer => {
    const bytes = Buffer.from(regionsOf(guest, somePages(HOSTILE_PAGES, 3, 5), 0, changes.flags));
    if (changes.at !== undefined) bytes.writeUInt32BE(...([changes.at[1], changes.at[0]] as const));
    return sealed(bytes);
  };
  const head = (sent: number, zero: number, bodyPages: number): Buffer => {
    const map = (word: number): Int32Array =>
      Int32Array.from({ length: 16 }, (_, index) => (index === 0 ? word : 0));
    const whole = encodeRegionHead({ round: 0, region: 2, sent: map(sent), zero: map(zero) }, 0, 0n);
    whole.writeUInt32BE(136 + bodyPages * 4096, 4);
    return sealed(Buffer.concat([whole, Buffer.alloc(bodyPages * 4096, 7)]));
  };

  it.each<[string, Uint8Array[]]>([
    ['of a region outside of the guest', [region({ at: [16, 1 << 20] })]],
    ['of another round', [region({ at: [12, 7] })]],
    ['past its last page', [head(-1, 0, 32)].map((one) => sealed(withWord(one, 2, -1)))],
    ['named as sent and as zero', [head(8, 8, 1)]],
    ['more than their frame holds', [head(8, 0, 2)]],
    ['fewer than their frame holds', [head(24, 0, 1)]],
    ['twice in a round', [region(), region()]],
    ['for a running guest, and none runs', [region({ flags: PUSHED })]],
    ['of which a round has others', [region(), encodeMark('ROUND_END', 0, 7)]],
    ['in a round that is not under way', [encodeMark('ROUND_END', 5, 0)]],
    ['in a frame without a head', [encodeHeader('PAGES', 8, 0, [Buffer.alloc(8)]), Buffer.alloc(8)]],
    ['where a message belongs', [bytesOf({ name: 'PING', sentAt: 1 })]],
  ])('%s are refused, or their connection is', async (_what, frames) => {
    const source = await prepared();
    source.pages[0]!.say(...frames);
    while ((await source.pages[0]!.hearsNext()) !== undefined);
    await isUnharmed();
  });

  it('rounds that one connection goes through alone are refused', async () => {
    const source = await prepared({ connections: 2 });
    for (let round = 0; round < 4; round++) source.pages[0]!.say(encodeMark('ROUND_END', round, 0));
    expect(await source.isRefused()).toMatchObject({ code: 'PROTOCOL' });
    await isUnharmed();
  });
});

function withWord(frame: Buffer, index: number, word: number): Buffer {
  const bytes = Buffer.from(frame);
  bytes.writeInt32LE(word, 12 + 8 + 4 * index);
  return bytes;
}

function handOver(told: Partial<HandOver> = {}): Uint8Array[] {
  return encodeHandOver({
    announcement: 0,
    pagesFollow: true,
    finalRound: 1,
    finalPages: 0,
    regions: 0,
    chunks: 0,
    isPaused: false,
    stoppedAtUs: 0,
    devices: [],
    registers: Array.from({ length: HOSTILE_VCPUS }, () => new Float64Array(REGISTERS_PER_VCPU)),
    guestClockUs: 1,
    bitmap: bitmapOf([]),
    ...told,
  });
}

describe('a hand-over that means harm', () => {
  it.each<[string, Uint8Array[]]>([
    ['before a round is placed', handOver({ finalRound: 3 })],
    [
      'of more vCPUs than were announced',
      handOver({ registers: [1, 2, 3].map(() => new Float64Array(REGISTERS_PER_VCPU)) }),
    ],
    ['that builds on an announcement that never came', handOver({ finalRound: 0, announcement: 9 })],
    ['with a bitmap of another guest', handOver({ finalRound: 0, bitmap: bitmapOf([1], 'raw', 64) })],
    ['of regions that were not told', handOver({ finalRound: 0, regions: 3 })],
    ['that is cut short', encodeFrame('HAND_OVER', [Buffer.alloc(20)])],
    [
      'that announces pages past the guest',
      encodeAnnouncement({ number: 1, bitmap: bitmapOf([1200], 'raw', 2048) }),
    ],
    ['that tells regions of a guest in one piece', encodeRegions([[1, 1]])],
  ])('%s is refused', async (_what, frame) => {
    const source = await prepared();
    source.faults!.say(...frame);
    expect(await source.isRefused()).toMatchObject({ code: 'PROTOCOL' });
    await isUnharmed();
  });

  it('is refused for good: the same migration is told so again, however often it comes', async () => {
    const source = await prepared();
    source.faults!.say(encodePageSent(3, Buffer.alloc(4096)), ...handOver({ finalRound: 9 }));
    while ((await source.faults!.hearsNext()) !== undefined);
    source.say({ name: 'CANCEL', code: 'CANCELLED', reason: 'it is over' });
    await source.isRefused();
    await source.leave();
    await vi.waitFor(async () => {
      const again = await greeted(source.migrationId);
      expect(await again.isRefused()).toMatchObject({ name: 'REFUSAL' });
    });
    await isUnharmed();
  });
});

describe('a source that asks and asks, and reads nothing', () => {
  const takesLittle = (): void => {
    expect(holdings().residentKib - before.residentKib).toBeLessThan(256 << 10);
  };

  it('has no more than some answers to its pings queued', async () => {
    const source = await prepared();
    const ping = bytesOf({ name: 'PING', sentAt: 1 });
    await source.control.floods(Buffer.concat(Array.from({ length: 4000 }, () => ping)), 1000);
    takesLittle();
    await isUnharmed();
  });

  it('loses a page connection on which it ends rounds', async () => {
    const source = await prepared();
    const [pages] = source.pages;
    const marks = (8 * ANSWERS_QUEUED.highBytes) / 20;
    for (let round = 0; round < marks; round += 1000)
      pages!.say(...Array.from({ length: 1000 }, (_, nth) => encodeMark('ROUND_END', round + nth, 0)));
    await pages!.floods(encodeMark('ROUND_END', 2 ** 31, 0), 1000);
    takesLittle();
    await isUnharmed();
  });

  it('loses a fault connection on which it hands over again and again, and its guest runs once', async () => {
    const source = await prepared();
    source.pages[0]!.say(
      regionsOf(guestOf(HOSTILE_PAGES), allPages(HOSTILE_PAGES), 0),
      encodeMark('ROUND_END', 0, HOSTILE_PAGES),
    );
    await source.pages[0]!.hears('ROUND_PLACED');
    const again = Buffer.concat(handOver());
    source.faults!.say(again);
    await source.faults!.hearsAtLast('TAKEN_OVER');
    await source.faults!.floods(Buffer.concat(Array.from({ length: 1000 }, () => again)), 3000);
    takesLittle();
    await source.control.hearsAtLast('RESUMED');
    source.say({ name: 'FAREWELL' });
    await destination.said(/the guest ran/);
    await isUnharmed();
  });
});

describe('after all of them', () => {
  it('a guest moves there as if nothing had been', async () => {
    expect(reportOf(await startSource(`127.0.0.1:${port}`).ended).audit?.passed).toBe(true);
    destination.kill('SIGTERM');
    const { stderr } = await destination.ended;
    expect(stderr).not.toContain('a bug of microstun');
  });
});
