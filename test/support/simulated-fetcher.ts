// The fetcher's thread of a simulation: the real taking over of a guest, over a fake line and a machine without vCPUs. It
// tells the main thread of everything a moment late, as a thread does.
import type { Dials } from '../../src/shared/wire/connection-end.js';
import { asMicrostunError, MicrostunError } from '../../src/shared/errors.js';
import { allocateMachine, type SharedMachine } from '../../src/shared/guest/shared-machine.js';
import { HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { viewMemory } from '../../src/shared/memory/layout.js';
import { PageState } from '../../src/shared/memory/pages.js';
import { VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import type { FetcherEvents } from '../../src/destination/faults/fetcher.js';
import type { IncomingFetcher } from '../../src/destination/hands.js';
import type { TakeOver, TakeOverParts } from '../../src/destination/take-over.js';
import { LateActions } from './simulated-thread.js';
import { workMs, type SimulatedMachine, type SimulatedSite } from './simulated-machine.js';
import type { PageLine } from './simulated-network.js';
import { firstPages, SIMULATED_MEMORY_BYTES, SIMULATED_PAGES } from './simulated-pages.js';

const TELL_MS_MAX = 20;
const BROKEN = new MicrostunError('GUEST_FAILED', 'the guest failed');

export type MakeTakeOver = (parts: TakeOverParts) => TakeOver;

/** What the rest of the destination has to do with it. */
export interface FetcherSite extends SimulatedSite {
  readonly line: PageLine;
  readonly machine: SimulatedMachine;
  readonly makeTakeOver: MakeTakeOver;
  /** The last round that was placed, and its pages. */
  readonly placed: { readonly round: number; readonly pages: number };
  /** The guest runs here, and lacks so many pages. */
  handedOver(lackingPages: number): void;
  readonly dials: Dials;
  dial(): void;
}

/** Page tables to mark: a few, in turn, because each costs more than a whole story. */
const MACHINES: SharedMachine[] = [];
const MACHINES_MAX = 8;
let turn = 0;

function nextMachine(): SharedMachine {
  const at = turn++ % MACHINES_MAX;
  MACHINES[at] ??= allocateMachine({
    program: 'replay',
    memoryBytes: SIMULATED_MEMORY_BYTES,
    vcpus: 1,
    seed: 0,
    writeRate: 0,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  });
  viewMemory(MACHINES[at].memory).pageTable.fill(PageState.PRESENT, 0, SIMULATED_PAGES);
  return MACHINES[at];
}

export class SimulatedFetcher implements IncomingFetcher {
  readonly #site: FetcherSite;
  readonly #events: FetcherEvents;
  readonly #takeOver: TakeOver;
  readonly #toMain: LateActions;
  #lackingPages = 0;
  readonly port: number | undefined;

  constructor(site: FetcherSite, gate: SharedArrayBuffer, events: FetcherEvents) {
    this.#site = site;
    this.#events = events;
    this.port = site.dials === 'source' ? 2 : undefined;
    this.#toMain = new LateActions(site.process, TELL_MS_MAX);
    const lackingPages = (): number => this.#lackingPages;
    this.#takeOver = site.makeTakeOver({
      machine: nextMachine(),
      traces: false,
      checkRoom: () => undefined,
      safepoints: {
        handOver: (pages) => {
          this.#lackingPages = pages;
          site.handedOver(pages);
        },
        command: () => {
          site.machine.run();
        },
        alert: () => undefined,
        areAllParked: () => {
          if (site.machine.isBroken) throw BROKEN;
          return true;
        },
        state: () => VcpuState.PARKED,
        vcpus: 1,
        get lackingPages() {
          return lackingPages();
        },
      },
      placement: {
        shut: () => true,
        get newestPages() {
          return firstPages(site.placed.pages);
        },
        placedRound: (round) => {
          const { placed } = site;
          return placed.round === round ? 'whole' : placed.round < round ? 'earlier' : 'later';
        },
      },
      gate: this.#watched(new HandOverGate(gate)),
      answer: (frame) => {
        site.line.say('source', [frame]);
      },
      placing: () => {
        this.#tell(() => {
          events.placing();
        });
      },
      takenOver: (facts) => {
        this.#tell(() => {
          events.takenOver(facts);
        });
      },
      declined: (error) => {
        this.#tell(() => {
          events.declined(asMicrostunError(error, 'PROTOCOL'));
        });
      },
    });
  }

  // The witness hears of it at the instant that decides.
  #watched(gate: HandOverGate): { readonly isOpen: boolean; readonly isPassed: boolean; pass(): boolean } {
    const { process, record, witness } = this.#site;
    return {
      get isOpen() {
        return gate.isOpen;
      },
      get isPassed() {
        return gate.isPassed;
      },
      pass: () => {
        const isPassed = gate.pass();
        if (isPassed) witness.resumes(record, process.name);
        return isPassed;
      },
    };
  }

  /** Bytes came on the fault connection. */
  said(frames: Buffer): void {
    for (const { header, body } of new FrameReader(['ANNOUNCEMENT', 'HAND_OVER']).consume(frames)) {
      if (header.name === 'ANNOUNCEMENT') this.#takeOver.announce(body);
      else this.#takeOver.handOver(body);
    }
  }

  roundPlaced(): void {
    this.#takeOver.roundPlaced();
  }

  settle(): void {
    const { process } = this.#site;
    process.after(workMs(process), () => {
      this.#events.settled(0);
    });
  }

  reconnect(): void {
    // It shares the receivers' line, which they dial again.
  }

  renew(): void {
    this.#site.dial();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #tell(what: () => void): void {
    this.#toMain.do(what);
  }
}
