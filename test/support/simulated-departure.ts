// What a simulation's outgoing migration has its hands on: a guest without vCPUs, a tracer that takes its time, and one
// fake line that brings pages. Decides nothing, except what chance lets go wrong; the witness hears what becomes of the guest.
import { MicrostunError } from '../../src/shared/errors.js';
import type { Dials } from '../../src/shared/wire/connection-end.js';
import type { UnclaimedConnection } from '../../src/shared/wire/control.js';
import type { MovedGuest, OutgoingHands, PageCopiers } from '../../src/source/hands.js';
import type { CopierEvents } from '../../src/source/pages/copiers.js';
import type { TracerEvents } from '../../src/source/tracer/tracer-thread.js';
import { unclaimedEnd } from './simulated-control.js';
import { PageLine, type End, type Network } from './simulated-network.js';
import { SIMULATED_MEMORY_BYTES, SIMULATED_PAGES } from './simulated-pages.js';
import { timeOf } from './simulated-time.js';
import { workMs } from './simulated-machine.js';
import { SimulatedTracer } from './simulated-tracer.js';
import type { Process } from './simulated-world.js';
import type { MigrationRecord, Witness } from './simulated-witness.js';

const LOST = new MicrostunError('CONNECTION_LOST', 'the connection was lost');
const FAILED = new MicrostunError('WORKER_FAILED', 'a worker failed');
const NO_DOUBLES = new Float64Array(0);

/** Where the guest is, and who looks on. */
export interface DepartureSite {
  readonly process: Process;
  readonly network: Network;
  readonly record: MigrationRecord;
  readonly witness: Witness;
  /** Who dials the line that brings pages. */
  readonly dials: Dials;
  /** How likely each piece of the workers' work fails. */
  readonly failureShare: number;
}

/** How often a guest that is asked does not answer, wants a moment, or does not want to be moved. */
const SILENT_SHARE = 0.1;
const DELAY_SHARE = 0.4;
const VETO_SHARE = 0.05;
const DELAY_MS = 100;

/** All that one migration has at the source. */
export class SimulatedDeparture {
  readonly #site: DepartureSite;
  readonly #line: PageLine;
  readonly #ends: End[] = [];
  readonly #failures: ((error: MicrostunError) => void)[] = [];
  #copiers: CopierEvents | undefined;
  #isStopped = false;
  /** Whether the guest was asked, and not told yet that it stays. */
  #isAsked = false;
  /** The question that stands, by its number. */
  #question = 0;
  /** Whether it may be stopped: it has no say, has said that it is ready, or is asked no more. */
  #mayBeStopped = true;
  #tracer: SimulatedTracer | undefined;
  #isCopying = false;
  /** Whether the line is lost that brings pages, and nobody dials it. */
  #isLost = false;
  /** Pages that the next copy carries, and those of a round that was stopped and did not send them. */
  #dirtyPages = SIMULATED_PAGES;
  #keptPages = 0;
  #sentPages = 0;

  constructor(site: DepartureSite) {
    this.#site = site;
    const { network, process, record } = site;
    this.#line = new PageLine(network, process, {
      connected: () => {
        this.#copiers?.connected();
        this.#tracer?.connected();
      },
      lost: () => {
        this.#isLost = true;
        this.#copiers?.lost(LOST);
        this.#tracer?.lost(LOST);
      },
      placed: (round) => {
        this.#onPlaced(round);
      },
      said: (frames) => this.#tracer?.said(frames),
    });
    network.lines.set(record.id, this.#line);
  }

  hands(step: OutgoingHands['step']): OutgoingHands {
    const { process, record } = this.#site;
    return {
      time: timeOf(process),
      guest: this.#guest(),
      step,
      newId: () => record.id,
      newTicket: () => `ticket of ${record.id}`,
      dial: () => this.#dial(),
      tracer: (_, gate, events) => this.#makeTracer(gate, events),
      copiers: (events) => this.#makeCopiers(events),
      emulatedLink: () => {
        throw new Error('a simulation needs no emulated link');
      },
    };
  }

  /** One of its workers fails. */
  fail(): void {
    this.#site.process.world.chance.pick(this.#failures)(FAILED);
  }

  /** The process is dead, or listens no more. */
  leave(): void {
    this.#line.leaveSource();
  }

  /** Whether a control connection that it dialled is open still. */
  get isConnected(): boolean {
    return this.#ends.some((end) => end.isOpen);
  }

  #dial(): Promise<UnclaimedConnection> {
    const { network, process } = this.#site;
    return new Promise((resolve, reject) => {
      const connected = (end: End): void => {
        this.#ends.push(end);
        resolve(unclaimedEnd(end));
      };
      network.dial(process, connected, () => {
        reject(LOST);
      });
    });
  }

  #guest(): MovedGuest {
    const { process, record, witness } = this.#site;
    const isStopped = (): boolean => this.#isStopped;
    return {
      spec: {
        program: 'simulated',
        memoryBytes: SIMULATED_MEMORY_BYTES,
        vcpus: 1,
        seed: 0,
        writeRate: 0,
        hotSetBytes: 0,
        residentBytes: 0,
        devices: [],
      },
      codeHash: '0'.repeat(64),
      touchedBytes: SIMULATED_MEMORY_BYTES,
      safepoints: { throttle: () => undefined, endTraceWork: () => undefined },
      isFailed: false,
      get isStopped() {
        return isStopped();
      },
      counters: () => NO_COUNTERS,
      gapCounts: () => NO_DOUBLES,
      watchGaps: () => undefined,
      letDevicesGo: () => undefined,
      park: () => Promise.resolve(),
      notices: this.#notices(),
      resume: () => {
        this.#isStopped = false;
        if (this.#isAsked) process.world.violate(`${record.id}: a guest that was asked runs on untold`);
        if (process.isAlive) witness.releases(record);
        if (this.#tracer?.areFaultsServed === true)
          process.world.violate(`${record.id}: pages of a guest that runs here may be asked for`);
        return Promise.resolve(0);
      },
      prepareSampling: () => undefined,
      startSampling: () => undefined,
      stopSampling: () => Promise.resolve(NO_DOUBLES),
    };
  }

  #notices(): MovedGuest['notices'] {
    const { process, record } = this.#site;
    const { chance } = process.world;
    const isToBeAsked = chance.isTrue(0.3);
    this.#mayBeStopped = !isToBeAsked;
    return {
      isToBeAsked,
      ask: (_, answered) => {
        if (this.#isStopped) process.world.violate(`${record.id}: a guest that stands still is asked`);
        this.#isAsked = true;
        const question = ++this.#question;
        if (chance.isTrue(SILENT_SHARE)) return;
        process.after(workMs(process), () => {
          if (question !== this.#question) return;
          if (chance.isTrue(DELAY_SHARE)) answered({ kind: 'delay', delayMs: chance.delay(DELAY_MS) });
          else if (chance.isTrue(VETO_SHARE)) answered({ kind: 'veto', reason: 'no' });
          else {
            this.#mayBeStopped = true;
            answered({ kind: 'ready' });
          }
        });
      },
      withdraw: () => {
        this.#question++;
        this.#mayBeStopped = true;
      },
      tellStayed: () => {
        this.#question++;
        this.#isAsked = false;
      },
    };
  }

  /** Whether the guest, which was asked, has not been told that it stays. */
  get isUntold(): boolean {
    return this.#isAsked;
  }

  #makeTracer(gate: SharedArrayBuffer, events: TracerEvents): SimulatedTracer {
    const { chance } = this.#site.process.world;
    const tracer = new SimulatedTracer(
      {
        ...this.#site,
        line: this.#line,
        harvested: () => {
          const dirtyPages = chance.between(0, 3000) + this.#keptPages;
          this.#keptPages = 0;
          return dirtyPages;
        },
        redial: () => {
          this.#dialPages();
        },
        stopped: () => {
          const { process, record } = this.#site;
          if (!this.#mayBeStopped)
            process.world.violate(`${record.id}: a guest that has a say is stopped without its consent`);
          this.#isStopped = true;
        },
        left: (pages) => {
          this.#dirtyPages = pages;
        },
      },
      gate,
      events,
    );
    this.#tracer = tracer;
    this.#failures.push(() => {
      tracer.fail();
    });
    return tracer;
  }

  #makeCopiers(events: CopierEvents): PageCopiers {
    this.#copiers = events;
    this.#failures.push((error) => {
      events.failed(error);
    });
    const sentPages = (): number => this.#sentPages;
    const isCopying = (): boolean => this.#isCopying;
    const moves = (): number => this.#line.moves;
    return {
      start: () => undefined,
      open: (addresses) => {
        if (this.#site.dials === 'source') this.#dialPages();
        return Promise.resolve(addresses.map(() => 1));
      },
      redial: () => {
        this.#dialPages();
      },
      reconnect: () => {
        if (this.#isLost) this.#dialPages();
      },
      copyRound: (round) => {
        this.#isCopying = true;
        this.#keptPages = 0;
        this.#line.copy(round, this.#dirtyPages);
      },
      stopRound: () => {
        this.#keptPages = this.#site.process.world.chance.between(0, this.#dirtyPages);
      },
      get isCopying() {
        return isCopying();
      },
      get progress() {
        return { pages: sentPages(), bytes: sentPages() * 4096 };
      },
      get movedBytes() {
        return moves();
      },
      get bytes() {
        const bytes = sentPages() * 4096;
        return { control: 0, socket: bytes, wire: bytes, cuts: 0 };
      },
      close: () => {
        this.leave();
        return Promise.resolve();
      },
    };
  }

  #dialPages(): void {
    this.#isLost = false;
    this.#line.dialDestination();
  }

  #onPlaced(round: number): void {
    this.#isCopying = false;
    const sentPages = this.#dirtyPages - this.#keptPages;
    this.#sentPages += sentPages;
    this.#copiers?.roundPlaced({ round, sentPages, zeroPages: 0, framingBytes: 0 });
  }
}

const NO_COUNTERS: ReturnType<MovedGuest['counters']> = {
  slices: 0,
  work: 0,
  pageFires: 0,
  longestGapUs: 0,
  longestSliceUs: 0,
  traceStoppedUs: 0,
  longestTraceStopUs: 0,
  throttledUs: 0,
  remoteFaults: 0,
  longestFaultUs: 0,
  faultBuckets: [],
  firstSliceAt: [],
};
