// A migration whose fetcher, or receivers, fail at the very moment that the guest is taken over: what is known of the guest
// then is what its shared words say, and nobody runs it on memory that it may not have.
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
import type { ReceiverEvents } from '../../src/destination/pages/receivers.js';
import type { IncomingResult } from '../../src/destination/result.js';
import { PHASE_LIMITS } from '../../src/destination/states/limits.js';
import { MicrostunError } from '../../src/shared/errors.js';
import type { GuestMachine } from '../../src/shared/guest/machine.js';
import { HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { Connection } from '../../src/shared/wire/connection.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import { unclaimed } from '../../src/shared/wire/message-connection.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { openHouse } from '../support/open-house.js';
import { examples } from './message-examples.js';

const [example] = examples.PREPARE;
const prepare = { ...example, audits: false, auditAfterMs: 0 };
const { vcpus, memoryBytes } = prepare.guest;
const PAGES = memoryBytes / PAGE_BYTES;
const FAILED = new MicrostunError('WORKER_FAILED', 'a worker failed');

/** The source's end of a control connection: what it hears, by name. */
class Source extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly localAddress = '127.0.0.1';
  readonly heard: string[] = [];
  readonly #reader = new FrameReader();
  readonly #on: (name: string) => void;

  constructor(on: (name: string) => void) {
    super();
    this.#on = on;
  }

  override _read(): void {
    // It says something when it is told to.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (const { header } of this.#reader.consume(chunk)) {
      this.heard.push(header.name);
      this.#on(header.name);
    }
    done();
  }

  say(message: Message): void {
    this.push(Buffer.concat(encodeMessage(message)));
  }
}

interface Hands {
  readonly gate: HandOverGate;
  readonly machine: { isStopped: boolean };
  readonly fetcher: FetcherEvents;
  readonly receivers: ReceiverEvents;
}

/** A migration in which `happens` when the guest may be taken over; and what its source heard. */
async function migrated(
  happens: (hands: Hands) => void,
): Promise<{ result: IncomingResult; heard: readonly string[] }> {
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
    stop: () => undefined,
  };
  let receivers: ReceiverEvents | undefined;
  let prepared = (): void => undefined;
  const source = new Source((name) => {
    if (name === 'PREPARED') prepared();
    if (name === 'RESUMED') source.say({ name: 'FAREWELL' });
  });
  const hands: IncomingHands<GuestMachine> = {
    ...hostHands(THIS_HOST_ONLY),
    machine: () => machine as unknown as GuestMachine,
    pages: () => ({ pageCount: PAGES, lackingPages: 0, missing: () => ({ count: 0, runs: [] }) }),
    toucher: () => ({ close: () => Promise.resolve() }),
    receivers: (...[, , , events]) => {
      receivers = events;
      return {
        start: () => undefined,
        close: () => Promise.resolve(),
      } as unknown as IncomingReceivers;
    },
    fetcher: ({ gate }, ...[, , events]) => {
      prepared = () => {
        happens({ gate: new HandOverGate(gate), machine, fetcher: events, receivers: receivers! });
      };
      setImmediate(() => {
        events.connected();
      });
      return { settle: () => undefined, close: () => Promise.resolve() } as unknown as IncomingFetcher;
    },
  };
  const limits = {
    controlLostMs: 1000,
    pagesLostMs: 1000,
    retryMs: 1000,
    placementMs: 1000,
    farewellMs: 1000,
    endsWithoutPages: true,
    phases: PHASE_LIMITS,
  };
  const logger = pino({ enabled: false });
  const migration = new IncomingMigration('m', TICKET, { limits, ...openHouse, logger }, hands);
  migration.attach(unclaimed(new Connection(source as unknown as Socket)));
  source.say(prepare);
  return { result: await migration.run(), heard: source.heard };
}

describe('a worker that fails when the guest is taken over', () => {
  it('before that has the guest refused', async () => {
    const { result, heard } = await migrated(({ fetcher }) => {
      fetcher.failed(FAILED);
    });
    expect(result.kind).toBe('refused');
    expect(heard).toContain('REFUSAL');
  });

  it('between the gate and the command to run has it end, and the source hears no refusal and of no guest that runs', async () => {
    const { result, heard } = await migrated(({ gate, fetcher }) => {
      expect(gate.pass()).toBe(true);
      fetcher.failed(FAILED);
    });
    expect(result).toMatchObject({ kind: 'failed', error: FAILED });
    expect(heard).toEqual(['PREPARED', 'CANCEL']);
  });

  it('after the command to run changes nothing for a guest that lacks nothing', async () => {
    const { result, heard } = await migrated(({ gate, machine, fetcher }) => {
      expect(gate.pass()).toBe(true);
      machine.isStopped = false;
      fetcher.failed(FAILED);
    });
    expect(result).toMatchObject({ kind: 'running', isSourceGone: false });
    expect(heard).toEqual(['PREPARED', 'RESUMED']);
  });

  it('and is a receiver says nothing of the take-over: that is told of by whoever did it', async () => {
    const { result, heard } = await migrated(({ gate, machine, fetcher, receivers }) => {
      expect(gate.pass()).toBe(true);
      receivers.failed(FAILED);
      setImmediate(() => {
        machine.isStopped = false;
        const at = { receivedAt: 1, validatedAt: 2, markedAt: 3, answeredAt: 4 };
        fetcher.takenOver({ ...at, pagesFollow: true, lackingPages: 5 });
      });
    });
    // It lacks pages that nobody brings any more.
    expect(result).toMatchObject({ kind: 'failed', error: FAILED });
    expect(heard).not.toContain('RESUMED');
  });
});
