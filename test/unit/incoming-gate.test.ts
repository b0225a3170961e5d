// The driver of a guest that comes, at its gate: what the fetcher's thread has done counts before what anybody asks for.
import { TICKET } from '../support/passes.js';
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { FetcherEvents } from '../../src/destination/faults/fetcher.js';
import {
  hostHands,
  type IncomingFetcher,
  type IncomingHands,
  type IncomingMachine,
  type IncomingReceivers,
} from '../../src/destination/hands.js';
import { IncomingMigration } from '../../src/destination/incoming.js';
import type { TakenOver } from '../../src/destination/take-over.js';
import { HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import type { ControlEvents, UnclaimedConnection } from '../../src/shared/wire/control.js';
import type { Message } from '../../src/shared/wire/messages.js';
import { incomingLimits } from '../support/incoming-limits.js';
import { openHouse } from '../support/open-house.js';
import { examples } from './message-examples.js';

const facts: TakenOver = {
  pagesFollow: false,
  lackingPages: 0,
  receivedAt: 1,
  validatedAt: 2,
  markedAt: 3,
  answeredAt: 4,
};
const nothing = (): void => undefined;
const noWords = (): Promise<Float64Array> => Promise.resolve(new Float64Array(0));

const machine = {
  start: () => Promise.resolve(),
  close: () => Promise.resolve(),
  begun: () => Promise.resolve(),
  prepareSampling: nothing,
  startSampling: nothing,
  stopSampling: noWords,
  counters: () => ({ firstSliceAt: [1] }),
} as unknown as IncomingMachine;

/** A migration that is prepared: what it says, and its fetcher's thread in the test's hand. */
async function prepared() {
  const said: Message[] = [];
  const heard: { events?: ControlEvents } = {};
  const control: UnclaimedConnection = {
    peerHost: 'alpha',
    localHost: 'beta',
    peerCertificate: undefined,
    claim: (events) => {
      heard.events = events;
      return {
        send: (message) => {
          said.push(message);
          return { bytes: 0, sentAt: 0 };
        },
        expectLife: nothing,
        end: nothing,
        destroy: nothing,
        isDestroyed: false,
        queuedBytes: 0,
        receivedBytes: 0,
        carriedBytes: 0,
        wireBytes: 0,
      };
    },
    drop: nothing,
  };
  const thread: { gate?: HandOverGate; events?: FetcherEvents } = {};
  const hands: IncomingHands<IncomingMachine> = {
    ...hostHands(THIS_HOST_ONLY),
    machine: () => machine,
    pages: () => ({ pageCount: 1, lackingPages: 0, missing: () => ({ count: 0, runs: [] }) }),
    toucher: () => ({ close: () => Promise.resolve() }),
    receivers: () =>
      ({
        start: () => undefined,
        close: () => Promise.resolve(),
      }) as unknown as IncomingReceivers,
    fetcher: ({ gate }, ...[, , events]) => {
      thread.gate = new HandOverGate(gate);
      thread.events = events;
      void setImmediate().then(events.connected.bind(events));
      return { close: () => Promise.resolve() } as unknown as IncomingFetcher;
    },
  };
  const migration = new IncomingMigration(
    'm',
    TICKET,
    {
      limits: incomingLimits,
      ...openHouse,
      logger: pino({ enabled: false }),
    },
    hands,
  );
  const result = migration.run();
  migration.attach(control);
  const hears = (message: Message): void => heard.events?.received({ message, receivedAt: 0 });
  hears({ ...examples.PREPARE[0], audits: false });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await setImmediate();
  };
  await settle();
  expect(said.map(({ name }) => name)).toEqual(['PREPARED']);
  const names = (): string[] => said.map(({ name }) => name).slice(1);
  return { migration, result, thread: thread as Required<typeof thread>, hears, settle, names };
}

describe('a guest that the fetcher has taken over', () => {
  it('is not refused by what is asked before that is told', async () => {
    const { migration, result, thread, hears, settle, names } = await prepared();
    expect(thread.gate.pass()).toBe(true);
    migration.cancel('SIGINT');
    hears(examples.CANCEL[0]);
    thread.events.declined(Object.assign(new Error('late'), { code: 'PROTOCOL' }) as never);
    await settle();
    expect([names(), migration.phase]).toEqual([[], 'receiving']);
    thread.events.takenOver(facts);
    // What had to wait counts now; the error ends a guest that runs.
    await expect(result).resolves.toMatchObject({ kind: 'failed' });
    expect(names()).toEqual(['CANCEL']);
  });

  it('is said to run, when nothing but a cancel came before that is told', async () => {
    const { migration, result, thread, hears, settle, names } = await prepared();
    thread.gate.pass();
    migration.cancel('SIGINT');
    await settle();
    thread.events.takenOver(facts);
    await settle();
    expect(names()).toEqual(['RESUMED']);
    hears({ name: 'FAREWELL' });
    await expect(result).resolves.toMatchObject({ kind: 'running', isSourceGone: false });
  });
});

describe('a guest that is refused', () => {
  it('is not taken over any more', async () => {
    const { migration, result, thread, names } = await prepared();
    migration.cancel('SIGINT');
    await expect(result).resolves.toMatchObject({ kind: 'refused' });
    expect(names()).toEqual(['REFUSAL']);
    expect([thread.gate.isOpen, thread.gate.pass()]).toEqual([false, false]);
  });
});
