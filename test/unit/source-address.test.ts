// Where a destination dials for pages and faults: at the address of the peer that said what it brings, and nowhere else.
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import {
  hostHands,
  type IncomingFetcher,
  type IncomingHands,
  type IncomingMachine,
  type IncomingReceivers,
} from '../../src/destination/hands.js';
import { IncomingMigration } from '../../src/destination/incoming.js';
import type { ControlConnection, ControlEvents, UnclaimedConnection } from '../../src/shared/wire/control.js';
import type { Message } from '../../src/shared/wire/messages.js';
import type { Address } from '../../src/shared/wire/sockets.js';
import { incomingLimits } from '../support/incoming-limits.js';
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import { openHouse } from '../support/open-house.js';
import { TICKET } from '../support/passes.js';
import { examples } from './message-examples.js';

const nothing = (): void => undefined;
const closes = { close: () => Promise.resolve() };

/** A control connection from `peerHost`. */
class Control implements UnclaimedConnection {
  readonly localHost = 'here';
  readonly peerCertificate = undefined;
  readonly peerHost: string;
  #events: ControlEvents | undefined;

  constructor(peerHost: string) {
    this.peerHost = peerHost;
  }

  claim(events: ControlEvents): ControlConnection {
    this.#events = events;
    return {
      send: () => ({ bytes: 0, sentAt: 0 }),
      expectLife: nothing,
      end: nothing,
      destroy: nothing,
      isDestroyed: false,
      queuedBytes: 0,
      receivedBytes: 0,
      carriedBytes: 0,
      wireBytes: 0,
    };
  }

  drop(): void {
    throw new Error('it was not taken');
  }

  says(message: Message): void {
    this.#events?.received({ message, receivedAt: 0 });
  }
}

const hostsOf = (addresses: readonly Address[]): string =>
  [...new Set(addresses.map(({ host }) => host))].join(' and ');

/** Whom a migration dials that hears `story`. */
async function dialledIn(
  story: (attach: (control: Control) => void) => Promise<void> | void,
): Promise<string[]> {
  const dialled: string[] = [];
  const hands: IncomingHands<IncomingMachine> = {
    ...hostHands(THIS_HOST_ONLY),
    machine: () =>
      ({
        ...closes,
        start: () => setImmediate(),
        prepareSampling: nothing,
        stopSampling: () => Promise.resolve(new Float64Array(0)),
      }) as unknown as IncomingMachine,
    pages: () => ({ pageCount: 1, lackingPages: 0, missing: () => ({ count: 0, runs: [] }) }),
    toucher: () => closes,
    receivers: (_, { pages }) => {
      dialled.push(`pages at ${hostsOf(pages)}`);
      return { ...closes, start: nothing, reconnect: nothing } as unknown as IncomingReceivers;
    },
    fetcher: (_, { faults }) => {
      dialled.push(`faults at ${hostsOf([faults])}`);
      return { ...closes, reconnect: nothing } as unknown as IncomingFetcher;
    },
  };
  const options = { limits: incomingLimits, ...openHouse, logger: pino({ enabled: false }) };
  const migration = new IncomingMigration('m', TICKET, options, hands);
  const result = migration.run();
  await story((control) => {
    migration.attach(control);
  });
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  migration.cancel('enough');
  await result;
  return dialled;
}

describe('the ports that a source names', () => {
  const [prepare] = examples.PREPARE;

  it('are dialled at the address that PREPARE came from', async () => {
    const alpha = new Control('alpha');
    const dialled = await dialledIn((attach) => {
      attach(alpha);
      alpha.says(prepare);
    });
    expect(dialled).toEqual(['pages at alpha', 'faults at alpha']);
  });

  it('are dialled there although another control connection comes from elsewhere before they are looked at', async () => {
    const [alpha, beta] = [new Control('alpha'), new Control('beta')];
    const dialled = await dialledIn((attach) => {
      attach(alpha);
      alpha.says(prepare);
      attach(beta);
      beta.says(prepare);
    });
    expect(dialled).toEqual(['pages at alpha', 'faults at alpha']);
  });

  it('are dialled there although one comes from elsewhere while the vCPUs start', async () => {
    const [alpha, beta] = [new Control('alpha'), new Control('beta')];
    const dialled = await dialledIn(async (attach) => {
      attach(alpha);
      alpha.says(prepare);
      // The receivers are made by then, the fetcher is not.
      await Promise.resolve();
      await Promise.resolve();
      attach(beta);
      beta.says({ ...prepare, pagePorts: [1], faultPort: 2 });
    });
    expect(dialled).toEqual(['pages at alpha', 'faults at alpha']);
  });
});
