// The preparation of a place for a guest, in parts that the test holds in its hand: the end may come at each await.
import { PASS } from '../support/passes.js';
import { describe, expect, it } from 'vitest';
import type { FetcherEvents } from '../../src/destination/faults/fetcher.js';
import type {
  IncomingFetcher,
  IncomingPages,
  IncomingReceivers,
  IncomingToucher,
} from '../../src/destination/hands.js';
import { pageWays } from '../../src/destination/page-ways.js';
import { Preparation, type Place, type PlaceMakers } from '../../src/destination/preparation.js';
import { Belongings } from '../../src/shared/belongings.js';
import type { GuestMachine } from '../../src/shared/guest/machine.js';
import { allocateHandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { whyOf } from '../../src/shared/worker-thread.js';
import { examples } from './message-examples.js';

const nothing = (): void => undefined;
const [prepare] = examples.PREPARE;

/** Parts that wait until they are told, and note what is made and closed. */
class Parts implements PlaceMakers<GuestMachine> {
  readonly made: string[] = [];
  readonly closed: string[] = [];
  /** What was closed each time that the machine's memory was released. */
  readonly released: string[][] = [];
  readonly events: { fetcher?: FetcherEvents } = {};
  started: () => void = nothing;
  startFailed: (error: Error) => void = nothing;
  onMade: (what: string) => void = nothing;

  #make(what: string): { close(): Promise<void> } {
    this.made.push(what);
    this.onMade(what);
    return {
      close: () => {
        this.closed.push(what);
        return Promise.resolve();
      },
    };
  }

  machine(): GuestMachine {
    return {
      ...this.#make('machine'),
      start: () =>
        new Promise<void>((resolve, reject) => {
          this.started = resolve;
          this.startFailed = reject;
        }),
      prepareSampling: () => {
        this.made.push('sampler');
      },
      stopSampling: () => {
        this.closed.push('sampler');
        return Promise.resolve(new Float64Array(0));
      },
    } as unknown as GuestMachine;
  }

  memoryReady(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {
    this.released.push([...this.closed]);
  }

  toucher(): IncomingToucher {
    return this.#make('toucher');
  }

  pages(): IncomingPages {
    return {} as IncomingPages;
  }

  ways: PlaceMakers<GuestMachine>['ways'] = (...how) => pageWays(...how);

  receivers(): IncomingReceivers {
    return { ...this.#make('receivers'), start: nothing } as unknown as IncomingReceivers;
  }

  fetcher(...[, , , events]: Parameters<PlaceMakers<GuestMachine>['fetcher']>): IncomingFetcher {
    this.events.fetcher = events;
    return this.#make('fetcher') as unknown as IncomingFetcher;
  }

  /** Resolves once `what` is made. */
  async until(what: string): Promise<void> {
    if (this.made.includes(what)) return;
    await new Promise<void>((resolve) => {
      this.onMade = (one) => {
        if (one === what) resolve();
      };
    });
  }
}

function begin(): {
  parts: Parts;
  preparation: Preparation<GuestMachine>;
  prepared: Promise<Place<GuestMachine>>;
} {
  const parts = new Parts();
  const receivers = {
    roundPlaced: nothing,
    compared: nothing,
    allArrived: nothing,
    moved: nothing,
    outOfTurn: nothing,
    listening: nothing,
    connected: nothing,
    lost: nothing,
    failed: nothing,
  };
  const fetcher = {
    placing: nothing,
    takenOver: nothing,
    declined: nothing,
    allArrived: nothing,
    settled: nothing,
    listening: nothing,
    connected: nothing,
    lost: nothing,
    failed: nothing,
  };
  const preparation = new Preparation(
    { receivers, fetcher, failed: nothing, samplingFailed: nothing, sampled: nothing },
    parts,
    allocateHandOverGate(),
  );
  const prepared = preparation.run(prepare, { host: '127.0.0.1', localHost: '127.0.0.1' }, PASS, {
    guestBytesMax: undefined,
    module: undefined,
  });
  prepared.catch(nothing);
  return { parts, preparation, prepared };
}

async function reach(what: string, parts: Parts): Promise<void> {
  await parts.until('machine');
  if (what === 'machine') return;
  parts.started();
  await parts.until('fetcher');
}

describe('a preparation whose end comes', () => {
  it.each(['machine', 'fetcher'])(
    'while it waits for its %s stops, and closes all that it made and nothing twice',
    async (what) => {
      const { parts, preparation, prepared } = begin();
      await reach(what, parts);
      await preparation.close(false);
      await expect(prepared).rejects.toMatchObject({ code: 'CANCELLED' });
      expect([...parts.closed].sort()).toEqual([...parts.made].sort());
      // Whoever writes to the machine's memory has ended before that is anybody else's.
      expect(parts.released.map((closed) => closed.sort())).toEqual([[...parts.made].sort()]);
      const { made } = parts;
      const count = made.length;
      // What it waited for comes after all: nothing is made of it.
      parts.started();
      parts.events.fetcher?.connected();
      await preparation.close(false);
      expect(made).toHaveLength(count);
      expect(parts.closed).toHaveLength(count);
      expect(parts.released).toHaveLength(1);
    },
  );

  it('after a guest came keeps its machine, and closes the rest', async () => {
    const { parts, preparation, prepared } = begin();
    await reach('fetcher', parts);
    parts.events.fetcher?.connected();
    await expect(prepared).resolves.toHaveProperty('machine');
    await preparation.close(true);
    expect(parts.closed.sort()).toEqual(['fetcher', 'receivers', 'sampler', 'toucher']);
    expect(parts.released).toEqual([]);
  });

  it('does not wait for memory to be touched, and dials while the vCPUs start', async () => {
    const { parts, preparation, prepared } = begin();
    await reach('machine', parts);
    expect(parts.made).toEqual(['machine', 'receivers', 'toucher']);
    await reach('fetcher', parts);
    parts.events.fetcher?.connected();
    await expect(prepared).resolves.toHaveProperty('machine');
    await preparation.close(true);
  });

  it('because its guest threw ends as well, and says what the guest threw', async () => {
    const { parts, preparation, prepared } = begin();
    await reach('machine', parts);
    parts.startFailed(new Error('thrown by the guest'));
    await expect(prepared).rejects.toThrow('thrown by the guest');
    await preparation.close(false);
    expect(parts.closed.sort()).toEqual(['machine', 'receivers', 'toucher']);
  });
});

describe('belongings', () => {
  it('that are made after the end are closed at once, and the end waits for that', async () => {
    const belongings = new Belongings();
    let closed: () => void = nothing;
    await belongings.close();
    expect(() => belongings.own(1, () => new Promise<void>((resolve) => (closed = resolve)))).toThrow(
      'the end came',
    );
    let isOver = false;
    const over = belongings.close().then(() => (isOver = true));
    await Promise.resolve();
    expect(isOver).toBe(false);
    closed();
    await over;
  });

  it('are not waited for past the end', async () => {
    const belongings = new Belongings();
    const waiting = belongings.wait(new Promise(nothing));
    await belongings.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a thread that the host does not allow', () => {
  it('is explained, and the way out is said', () => {
    const refused = Object.assign(new Error('Worker initialization failure: EAGAIN'), {
      code: 'ERR_WORKER_INIT_FAILED',
    });
    expect(whyOf(refused)).toMatch(/no further thread.*ulimit -u.*--vcpus and --connections/);
    expect(whyOf(new Error('anything else'))).toBe('anything else');
  });
});
