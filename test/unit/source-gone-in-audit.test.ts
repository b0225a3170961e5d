// A migration whose source goes away for good, driven over a stream in parts that the test holds in its hand.
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { FetcherEvents } from '../../src/destination/faults/fetcher.js';
import {
  hostHands,
  type IncomingFetcher,
  type IncomingHands,
  type IncomingReceivers,
} from '../../src/destination/hands.js';
import { IncomingMigration } from '../../src/destination/incoming.js';
import { PHASE_LIMITS } from '../../src/destination/states/limits.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import type { GuestMachine } from '../../src/shared/guest/machine.js';
import { encodeBitmap } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { Connection } from '../../src/shared/wire/connection.js';
import { unclaimed } from '../../src/shared/wire/message-connection.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { examples } from './message-examples.js';

const [example] = examples.PREPARE;
const prepare = { ...example, audits: true, auditAfterMs: 0 };
const { vcpus, memoryBytes } = prepare.guest;
const handOver: Message = {
  name: 'HAND_OVER',
  registers: Array.from({ length: vcpus }, () => new Float64Array(REGISTERS_PER_VCPU)),
  guestClockUs: 1,
  pagesFollow: true,
  finalRound: 0,
  finalPages: 0,
  bitmap: encodeBitmap(new PageBitmap(memoryBytes / PAGE_BYTES), 'compacted'),
};

/** The source's end of a control connection: what it says and hears, and its going. */
class Source extends Duplex {
  readonly #reader = new FrameReader();

  override _read(): void {
    // It says something when it is told to.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (const { header } of this.#reader.consume(chunk)) if (header.name === 'PREPARED') this.say(handOver);
    done();
  }

  say(message: Message): void {
    this.push(Buffer.concat(encodeMessage(message)));
  }
}

/** A guest whose vCPUs come to no safepoint while it is audited: the audit is under way for as long as the test likes. */
function endlesslyAudited(parks: () => void): GuestMachine {
  const machine = {
    isStopped: true,
    spec: prepare.guest,
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    assertParked: () => undefined,
    restore: () => undefined,
    prepareSampling: () => undefined,
    startSampling: () => undefined,
    stopSampling: () => Promise.resolve(new Float64Array(0)),
    counters: () => ({ firstSliceAt: Array.from({ length: vcpus }, () => 1), faultBuckets: [] }),
    gapCounts: () => new Float64Array(0),
    resume: () => {
      machine.isStopped = false;
      return Promise.resolve(0);
    },
    park: () => {
      machine.isStopped = true;
      parks();
      return new Promise<void>(() => undefined);
    },
  };
  return machine as unknown as GuestMachine;
}

describe('a guest whose source goes away for good', () => {
  it('while it is parked for its audit runs on', async () => {
    const source = new Source();
    const machine = endlesslyAudited(() => source.destroy());
    let fetcher: FetcherEvents | undefined;
    const hands: IncomingHands<GuestMachine> = {
      ...hostHands,
      machine: () => machine,
      pages: () => ({
        pageCount: memoryBytes / PAGE_BYTES,
        lackingPages: 0,
        handOver: () => undefined,
        missing: () => new PageBitmap(memoryBytes / PAGE_BYTES),
      }),
      receivers: (...[, , , , events]) =>
        ({
          start: () => {
            events.touched();
          },
          shut: () => true,
          close: () => Promise.resolve(),
        }) as unknown as IncomingReceivers,
      fetcher: (...[, , , , events]) => {
        fetcher = events;
        setImmediate(() => {
          events.connected();
        });
        return {
          settle: () => fetcher?.settled(0),
          close: () => Promise.resolve(),
        } as unknown as IncomingFetcher;
      },
    };
    const migration = new IncomingMigration(
      'm',
      {
        limits: {
          controlLostMs: 1000,
          pagesLostMs: 1000,
          retryMs: 1000,
          placementMs: 1000,
          farewellMs: 0,
          endsWithoutPages: true,
          phases: PHASE_LIMITS,
        },
        room: () => ({ guestBytesMax: undefined, availableBytes: Infinity }),
        logger: pino({ enabled: false }),
      },
      hands,
    );
    migration.attach(unclaimed(new Connection(source as unknown as Socket)));
    source.say(prepare);
    await expect(migration.run()).resolves.toMatchObject({ kind: 'running', isSourceGone: true });
    expect(machine.isStopped).toBe(false);
  });
});
