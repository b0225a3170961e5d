// What a simulation's incoming migration has its hands on: a machine without vCPUs, and one fake line that brings pages.
// Decides nothing, except what chance lets go wrong.
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import type { FetcherEvents } from '../../src/destination/faults/fetcher.js';
import type { IncomingHands, IncomingPages, IncomingReceivers } from '../../src/destination/hands.js';
import { pageWays } from '../../src/destination/page-ways.js';
import type { ReceiverEvents } from '../../src/destination/pages/receivers.js';
import { MicrostunError } from '../../src/shared/errors.js';
import type { Dials } from '../../src/shared/wire/connection-end.js';
import { SimulatedFetcher, type MakeTakeOver } from './simulated-fetcher.js';
import { SimulatedMachine, type SimulatedSite } from './simulated-machine.js';
import type { PageEvents, PageLine } from './simulated-network.js';
import { SIMULATED_PAGES } from './simulated-pages.js';
import { timeOf } from './simulated-time.js';

const FAULTS_MS_MAX = 120;
const NO_WORDS = new SharedArrayBuffer(0);
const LOST = new MicrostunError('CONNECTION_LOST', 'the connection was lost');

export type StepIncoming = IncomingHands<SimulatedMachine>['step'];

/** All that one migration has at the destination. */
export class SimulatedPlace {
  readonly #site: SimulatedSite;
  readonly #line: PageLine;
  readonly #makeTakeOver: MakeTakeOver;
  readonly #pages = { lackingPages: 0 };
  #receivers: ReceiverEvents | undefined;
  #fetcher: FetcherEvents | undefined;
  #state: 'dialling' | 'up' | 'lost' = 'lost';
  readonly #placed = { round: -1, pages: 0 };
  #thread: SimulatedFetcher | undefined;
  #dials: Dials = 'destination';
  #events: PageEvents | undefined;
  machine: SimulatedMachine | undefined;

  constructor(site: SimulatedSite, line: PageLine, makeTakeOver: MakeTakeOver) {
    this.#makeTakeOver = makeTakeOver;
    this.#site = site;
    this.#line = line;
  }

  hands(step: StepIncoming): IncomingHands<SimulatedMachine> {
    return {
      time: timeOf(this.#site.process),
      step,
      security: THIS_HOST_ONLY,
      machine: (_spec, _module, failed) => {
        this.machine = new SimulatedMachine(this.#site, failed);
        return this.machine;
      },
      memoryReady: () => Promise.resolve(),
      release: () => undefined,
      toucher: () => ({ close: () => Promise.resolve() }),
      pages: () => this.#pagesHand(),
      ways: (prepare, control) => {
        this.#dials = prepare.dials;
        return pageWays(prepare, control);
      },
      receivers: (...[, , , events]) => this.#makeReceivers(events),
      fetcher: ({ machine, gate }, ...[, , events]) => this.#makeFetcher(machine, gate, events),
    };
  }

  /** The process is dead, or needs no page any more. */
  leave(): void {
    this.#line.leaveDestination();
  }

  #pagesHand(): IncomingPages {
    const pages = this.#pages;
    return {
      pageCount: SIMULATED_PAGES,
      get lackingPages() {
        return pages.lackingPages;
      },
      missing: () => ({ count: pages.lackingPages, runs: [[0, pages.lackingPages]] }),
    };
  }

  #handedOver(lackingPages: number): void {
    const { process, record } = this.#site;
    const { chance } = process.world;
    this.#pages.lackingPages = lackingPages;
    if (lackingPages === 0) record.isWhole = process.isAlive;
    // Remote page faults may fetch them all.
    else if (chance.isTrue(0.4))
      process.after(chance.delay(FAULTS_MS_MAX), () => {
        if (this.#line.isUp) this.#allArrived('faults');
      });
  }

  #makeReceivers(events: ReceiverEvents): IncomingReceivers {
    this.#receivers = events;
    const movesOf = (): number => this.#line.moves;
    return {
      start: () => {
        this.#dial();
      },
      count: 1,
      ports: this.#dials === 'source' ? [1] : [],
      placementGate: NO_WORDS,
      placedHashes: undefined,
      get receivedBytes() {
        return movesOf();
      },
      reconnect: () => {
        if (this.#state === 'lost') this.#dial();
      },
      renew: () => {
        this.#dial();
      },
      close: () => {
        this.leave();
        return Promise.resolve();
      },
    };
  }

  // It shares the receivers' line.
  #makeFetcher(machine: SimulatedMachine, gate: SharedArrayBuffer, events: FetcherEvents): SimulatedFetcher {
    const { process } = this.#site;
    this.#fetcher = events;
    if (this.#dials === 'source')
      process.after(0, () => {
        events.listening(2);
      });
    if (this.#state === 'up')
      process.after(0, () => {
        if (this.#state === 'up') events.connected();
      });
    this.#thread = new SimulatedFetcher(
      {
        ...this.#site,
        line: this.#line,
        makeTakeOver: this.#makeTakeOver,
        machine,
        placed: this.#placed,
        handedOver: (lackingPages) => {
          this.#handedOver(lackingPages);
        },
        dials: this.#dials,
        dial: () => {
          this.#dial();
        },
      },
      gate,
      events,
    );
    return this.#thread;
  }

  #dial(): void {
    const { process } = this.#site;
    if (!process.isAlive) return;
    const isFirst = this.#events === undefined;
    const events = (this.#events ??= this.#lineEvents());
    if (this.#dials === 'destination') {
      this.#state = 'dialling';
      this.#line.dial(process, events);
      return;
    }
    // A source that is to dial anew is hung up on.
    if (this.#state === 'up') this.#state = 'lost';
    if (isFirst) {
      this.#line.awaitSource(process, events);
      process.after(0, () => this.#receivers?.listening([1]));
    } else this.#line.hangUp();
  }

  #lineEvents(): PageEvents {
    const { process, record } = this.#site;
    return {
      connected: () => {
        this.#state = 'up';
        this.#receivers?.connected(true);
        this.#fetcher?.connected();
      },
      lost: () => {
        this.#state = 'lost';
        this.#receivers?.lost(LOST);
        this.#fetcher?.lost(LOST);
      },
      placed: (round, pages) => {
        Object.assign(this.#placed, { round, pages });
        this.#receivers?.moved();
        if (record.resumedBy === process.name) this.#allArrived('receivers');
        this.#receivers?.roundPlaced(round, pages);
      },
      said: (frames) => this.#thread?.said(frames),
    };
  }

  #allArrived(by: 'receivers' | 'faults'): void {
    const { record, process } = this.#site;
    if (this.#pages.lackingPages === 0 || !process.isAlive) return;
    this.#pages.lackingPages = 0;
    record.isWhole = true;
    (by === 'receivers' ? this.#receivers : this.#fetcher)?.allArrived();
  }
}
