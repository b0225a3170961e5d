// What a simulation's outgoing migration has its hands on: a guest without vCPUs, a tracer that takes its time, and one
// fake line that brings pages. Decides nothing, except what chance lets go wrong; the witness hears what becomes of the guest.
import { MicrostunError } from '../../src/shared/errors.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { encodeBitmap } from '../../src/shared/memory/compacted-bitmap.js';
import type { Message } from '../../src/shared/wire/messages.js';
import type { UnclaimedConnection } from '../../src/shared/wire/control.js';
import type { FaultServer, MovedGuest, OutgoingHands, PageCopiers, Tracer } from '../../src/source/hands.js';
import type { PageServerEvents } from '../../src/source/faults/page-server.js';
import type { CopierEvents } from '../../src/source/pages/copiers.js';
import { unclaimedEnd } from './simulated-control.js';
import { PageLine, type End, type Network } from './simulated-network.js';
import { firstPages, SIMULATED_MEMORY_BYTES, SIMULATED_PAGES } from './simulated-pages.js';
import { timeOf } from './simulated-time.js';
import type { Process } from './simulated-world.js';
import type { MigrationRecord, Witness } from './simulated-witness.js';

const WORK_MS_MAX = 60;
const LOST = new MicrostunError('CONNECTION_LOST', 'the connection was lost');
const FAILED = new MicrostunError('WORKER_FAILED', 'a worker failed');
const NO_DOUBLES = new Float64Array(0);

/** Where the guest is, and who looks on. */
export interface DepartureSite {
  readonly process: Process;
  readonly network: Network;
  readonly record: MigrationRecord;
  readonly witness: Witness;
  /** How likely each piece of the workers' work fails. */
  readonly failureShare: number;
}

/** All that one migration has at the source. */
export class SimulatedDeparture {
  readonly #site: DepartureSite;
  readonly #line: PageLine;
  readonly #ends: End[] = [];
  readonly #failures: ((error: MicrostunError) => void)[] = [];
  #copiers: CopierEvents | undefined;
  #isStopped = false;
  #isReleased = false;
  #areFaultsServed = false;
  #isCopying = false;
  /** Pages that the next copy carries, and those of a round that was stopped and did not send them. */
  #dirtyPages = SIMULATED_PAGES;
  #keptPages = 0;
  #sentPages = 0;

  constructor(site: DepartureSite) {
    this.#site = site;
    const { network, process, record } = site;
    this.#line = new PageLine(network, process, {
      connected: () => this.#copiers?.connected(),
      lost: () => this.#copiers?.lost(LOST),
      placed: (round) => {
        this.#onPlaced(round);
      },
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
      dial: () => this.#dial(),
      tracer: (_, failed) => this.#tracer(failed),
      copiers: (events) => this.#makeCopiers(events),
      pageServer: (events) => this.#pageServer(events),
      rehearsal: () => ({ rehearse: () => undefined, refresh: () => undefined }),
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
        const unowned = unclaimedEnd(end);
        resolve({
          ...unowned,
          claim: (events) => {
            const control = unowned.claim(events);
            const send = control.send.bind(control);
            return Object.defineProperty(control, 'send', {
              value: (message: Message) => {
                if (process.isAlive) this.#hear(message);
                return send(message);
              },
            });
          },
        });
      };
      network.dial(process, connected, () => {
        reject(LOST);
      });
    });
  }

  #hear(message: Message): void {
    if (message.name !== 'HAND_OVER') return;
    const { process, record, witness } = this.#site;
    witness.sendsHandOver(record);
    if (message.pagesFollow && !this.#areFaultsServed)
      process.world.violate(`${record.id}: HAND_OVER is sent before its pages may be asked for`);
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
      },
      safepoints: { throttle: () => undefined, endTraceWork: () => undefined },
      isFailed: false,
      get isStopped() {
        return isStopped();
      },
      counters: () => NO_COUNTERS,
      gapCounts: () => NO_DOUBLES,
      watchGaps: () => undefined,
      lastSliceEndAt: () => [0],
      stop: () => {
        this.#isStopped = true;
      },
      park: () => Promise.resolve(),
      checkpoint: () => ({ registers: REGISTERS, guestClockUs: 0 }),
      resume: () => {
        this.#isStopped = false;
        if (process.isAlive) witness.releases(record);
        if (this.#areFaultsServed)
          process.world.violate(`${record.id}: pages of a guest that runs here may be asked for`);
        return Promise.resolve(0);
      },
      prepareSampling: () => undefined,
      startSampling: () => undefined,
      stopSampling: () => Promise.resolve(NO_DOUBLES),
    };
  }

  #tracer(failed: (error: MicrostunError) => void): Tracer {
    this.#failures.push(failed);
    const { process, record } = this.#site;
    const { chance } = process.world;
    return {
      installTraces: () => this.#work(() => 1),
      harvest: () => {
        this.#dirtyPages = chance.between(0, 3000) + this.#keptPages;
        this.#keptPages = 0;
        const dirtyPages = this.#dirtyPages;
        return this.#work(() => ({ dirtyPages, durationMs: 1 }));
      },
      takeLast: async (format, everything) => {
        await new Promise<void>((resolve) => {
          process.after(chance.delay(WORK_MS_MAX), resolve);
        });
        // Its vCPUs are parked from here on, unless they were told to run again meanwhile.
        if (this.#isReleased) throw FAILED;
        record.guest.runsAtSource = false;
        if (everything) this.#dirtyPages = 100;
        else this.#dirtyPages = chance.isTrue(0.3) ? 0 : chance.between(1, 300);
        const dirtyPages = this.#dirtyPages;
        return this.#work(() => {
          const nowUs = process.world.clock.now * 1000;
          const bitmap = encodeBitmap(firstPages(dirtyPages), format);
          return { parkedAt: nowUs, harvestedAt: nowUs, compactedAt: nowUs, dirtyPages, bitmap };
        });
      },
      removeTraces: () => {
        this.#isReleased = true;
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }

  #work<T>(done: () => T): Promise<T> {
    const { process, failureShare } = this.#site;
    const { chance } = process.world;
    return new Promise((resolve, reject) => {
      process.after(chance.delay(WORK_MS_MAX), () => {
        if (chance.isTrue(failureShare)) reject(FAILED);
        else resolve(done());
      });
    });
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
      start: () => Promise.resolve([1]),
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
        return { control: 0, socket: sentPages() * 4096, cuts: 0 };
      },
      close: () => {
        this.leave();
        return Promise.resolve();
      },
    };
  }

  #onPlaced(round: number): void {
    this.#isCopying = false;
    const sentPages = this.#dirtyPages - this.#keptPages;
    this.#sentPages += sentPages;
    this.#copiers?.roundPlaced({ round, sentPages, zeroPages: 0, framingBytes: 0 });
  }

  #pageServer(events: PageServerEvents): FaultServer {
    this.#failures.push((error) => {
      events.failed(error);
    });
    return {
      start: () => Promise.resolve(2),
      noteHandedOver: (isHandedOver) => {
        this.#areFaultsServed = isHandedOver;
      },
      movedBytes: 0,
      bytes: { faults: 0, control: 0, socket: 0, cuts: 0 },
      close: () => Promise.resolve(),
    };
  }
}

const REGISTERS: readonly Float64Array[] = [new Float64Array(REGISTERS_PER_VCPU)];

const NO_COUNTERS: ReturnType<MovedGuest['counters']> = {
  slices: 0,
  work: 0,
  pageFires: 0,
  longestGapUs: 0,
  traceStoppedUs: 0,
  longestTraceStopUs: 0,
  throttledUs: 0,
  remoteFaults: 0,
  longestFaultUs: 0,
  faultBuckets: [],
  firstSliceAt: [],
};
