// A migration whose source goes away for good, driven over a stream in parts that the test holds in its hand.
import { TICKET } from '../support/passes.js';
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
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
import type { TakenOver } from '../../src/destination/take-over.js';
import type { GuestMachine } from '../../src/shared/guest/machine.js';
import { HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { Connection } from '../../src/shared/wire/connection.js';
import { unclaimed } from '../../src/shared/wire/message-connection.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { openHouse } from '../support/open-house.js';
import { examples } from './message-examples.js';

const [example] = examples.PREPARE;
const prepare = { ...example, audits: true, auditAfterMs: 0 };
const { vcpus, memoryBytes } = prepare.guest;
const facts: TakenOver = {
  pagesFollow: true,
  lackingPages: 0,
  receivedAt: 1,
  validatedAt: 2,
  markedAt: 3,
  answeredAt: 4,
};

/** The source's end of a control connection: what it says and hears, and its going. */
class Source extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly localAddress = '127.0.0.1';
  readonly #reader = new FrameReader();
  /** It has heard that a place for its guest is ready. */
  prepared: () => void = () => undefined;

  override _read(): void {
    // It says something when it is told to.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (const { header } of this.#reader.consume(chunk)) if (header.name === 'PREPARED') this.prepared();
    done();
  }

  say(message: Message): void {
    this.push(Buffer.concat(encodeMessage(message)));
  }
}

/** A guest whose vCPUs come to no safepoint while it is audited: the audit is under way for as long as the test likes. */
function endlesslyAudited(parks: () => void): GuestMachine & { isStopped: boolean } {
  const machine = {
    isStopped: true,
    spec: prepare.guest,
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    begun: () => Promise.resolve(),
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
  return machine as unknown as GuestMachine & { isStopped: boolean };
}

describe('a guest whose source goes away for good', () => {
  it('while it is parked for its audit runs on', async () => {
    const source = new Source();
    const machine = endlesslyAudited(() => source.destroy());
    let fetcher: FetcherEvents | undefined;
    const hands: IncomingHands<GuestMachine> = {
      ...hostHands(THIS_HOST_ONLY),
      machine: () => machine,
      pages: () => ({
        pageCount: memoryBytes / PAGE_BYTES,
        lackingPages: 0,
        missing: () => ({ count: 0, runs: [] }),
      }),
      toucher: () => ({ close: () => Promise.resolve() }),
      receivers: () =>
        ({
          start: () => undefined,
          close: () => Promise.resolve(),
        }) as unknown as IncomingReceivers,
      fetcher: ({ gate }, ...[, , events]) => {
        fetcher = events;
        // As the fetcher's thread: it takes the guest over at its gate, lets it run, and tells of it after.
        source.prepared = () => {
          expect(new HandOverGate(gate).pass()).toBe(true);
          machine.isStopped = false;
          events.takenOver(facts);
        };
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
      TICKET,
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
        ...openHouse,
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
