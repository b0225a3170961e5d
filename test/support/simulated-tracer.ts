// The tracer's thread of a simulation: the real departure over a fake line, for a guest without pages. It takes its time,
// fails now and then, and tells the main thread of everything a moment late, as a thread does.
import { MicrostunError, asMicrostunError } from '../../src/shared/errors.js';
import { allocateMachine } from '../../src/shared/guest/shared-machine.js';
import { compact, encodeBitmap } from '../../src/shared/memory/compacted-bitmap.js';
import { HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import { decodeMark } from '../../src/shared/wire/page-frames.js';
import type { Tracer } from '../../src/source/hands.js';
import { regionsInOnePiece } from '../../src/shared/memory/regions.js';
import { Departure, type Departed, type SwitchOver } from '../../src/source/tracer/departure.js';
import type { TracerEvents } from '../../src/source/tracer/tracer-thread.js';
import type { Ahead, BitmapLogic, LastHarvest } from '../../src/source/tracer/tracer.js';
import { LateActions } from './simulated-thread.js';
import type { PageLine } from './simulated-network.js';
import { firstPages, SIMULATED_PAGES } from './simulated-pages.js';
import type { DepartureSite } from './simulated-departure.js';

const WORK_MS_MAX = 60;
const FAILED = new MicrostunError('WORKER_FAILED', 'a worker failed');
const STAYS = new MicrostunError('CANCELLED', 'the guest is not to leave any more');

/** Only its registers are looked at, and nobody writes them. */
const MACHINE = allocateMachine({
  program: 'replay',
  memoryBytes: PAGE_BYTES,
  vcpus: 1,
  seed: 0,
  writeRate: 0,
  hotSetBytes: 0,
  residentBytes: 0,
  devices: [],
});

/** What the rest of the source has to do with it. */
export interface TracerSite extends DepartureSite {
  readonly line: PageLine;
  /** Pages that a harvest finds, those kept of a stopped round among them. */
  harvested(): number;
  /** The vCPUs are told to park. */
  stopped(): void;
  /** Dials the line anew. */
  redial(): void;
  /** What the next copy carries. */
  left(pages: number): void;
}

export class SimulatedTracer implements Tracer {
  readonly #site: TracerSite;
  readonly #events: TracerEvents;
  readonly #departure: Departure;
  readonly #line: {
    isUp: boolean;
    areFaultsServed: boolean;
    write: (frame: readonly Uint8Array[]) => number;
    sendAhead: () => void;
  };
  readonly #toThread: LateActions;
  readonly #toMain: LateActions;
  #departing: { resolve: (departed: Departed) => void; reject: (error: MicrostunError) => void } | undefined;
  #announcedPages = 0;
  #isDead = false;
  readonly movedBytes = 0;
  readonly bytes = { faults: 0, bitmap: 0, checkpoint: 0, control: 0, socket: 0, wire: 0, cuts: 0 };

  constructor(site: TracerSite, gate: SharedArrayBuffer, events: TracerEvents) {
    this.#site = site;
    this.#events = events;
    this.#toThread = new LateActions(site.process, WORK_MS_MAX);
    this.#toMain = new LateActions(site.process, WORK_MS_MAX);
    const { line } = site;
    this.#line = {
      get isUp() {
        return line.isUp;
      },
      areFaultsServed: false,
      write: (frame) => {
        line.say('destination', frame);
        return 1;
      },
      sendAhead: () => undefined,
    };
    this.#departure = new Departure({
      machine: MACHINE,
      regions: regionsInOnePiece(SIMULATED_PAGES),
      safepoints: {
        command: () => {
          site.stopped();
        },
        areAllParked: () => true,
        state: () => VcpuState.PARKED,
        vcpus: 1,
      },
      tracer: {
        announce: (everything) => this.#announce(everything),
        takeLast: (logic, everything) => this.#takeLast(logic, everything),
        dirty: firstPages(0),
      },
      gate: this.#watched(new HandOverGate(gate)),
      line: this.#line,
      ahead: () => [],
      departed: (departed) => {
        this.#tell(() => this.#departing?.resolve(departed));
      },
      stayed: (error) => {
        const why = error === undefined ? STAYS : asMicrostunError(error, 'WORKER_FAILED');
        this.#tell(() => this.#departing?.reject(why));
      },
    });
  }

  // The witness hears of the hand-over at the instant that decides.
  #watched(gate: HandOverGate): { readonly isOpen: boolean; pass(): boolean } {
    const { record, witness } = this.#site;
    return {
      get isOpen() {
        return gate.isOpen;
      },
      pass: () => {
        const isPassed = gate.pass();
        if (isPassed) witness.sendsHandOver(record);
        return isPassed;
      },
    };
  }

  /** Whether pages may be asked for. */
  get areFaultsServed(): boolean {
    return !this.#isDead && this.#line.areFaultsServed;
  }

  /** A connection is up. */
  connected(): void {
    if (!this.#isDead) this.#departure.connected();
  }

  /** Bytes came on the fault connection. */
  said(frames: Buffer): void {
    if (this.#isDead) return;
    for (const { header, body } of new FrameReader(['ANNOUNCED', 'TAKEN_OVER']).consume(frames)) {
      if (header.name === 'ANNOUNCED') this.#departure.announced(decodeMark(body)[0]);
      else {
        this.#departure.takenOver();
        const at = this.#site.process.world.clock.now * 1000;
        this.#tell(() => {
          this.#events.takenOver(at);
        });
      }
    }
  }

  /** Its worker ends where it is. */
  fail(): void {
    this.#isDead = true;
    this.#departing?.reject(FAILED);
    this.#events.failed(FAILED);
  }

  /** A source that dials has one line for its copiers and this. */
  open(): Promise<number> {
    return Promise.resolve(2);
  }

  redial(): void {
    this.#site.redial();
  }

  reconnect(): void {
    // The copiers do.
  }

  /** The line is lost. */
  lost(error: MicrostunError): void {
    if (this.#isDead) return;
    this.#tell(() => {
      this.#events.lost(error);
    });
  }

  installTraces(): ReturnType<Tracer['installTraces']> {
    return this.#work(() => ({ dirtyPages: SIMULATED_PAGES, durationMs: 1 }));
  }

  harvest(): ReturnType<Tracer['harvest']> {
    const dirtyPages = this.#site.harvested();
    this.#site.left(dirtyPages);
    return this.#work(() => ({ dirtyPages, durationMs: 1 }));
  }

  switchOver(how: SwitchOver): Promise<Departed> {
    return new Promise((resolve, reject) => {
      this.#departing = { resolve, reject };
      if (this.#isDead) reject(FAILED);
      this.#toThread.do(() => {
        if (!this.#isDead) this.#departure.begin(how);
      });
    });
  }

  // Whatever it was told before comes first.
  removeTraces(): Promise<void> {
    return new Promise((resolve) => {
      this.#toThread.do(() => {
        if (!this.#isDead) this.#departure.end();
        this.#tell(resolve);
      });
    });
  }

  close(): Promise<void> {
    this.#isDead = true;
    return Promise.resolve();
  }

  #announce(everything: boolean): Ahead {
    const { chance } = this.#site.process.world;
    this.#announcedPages = everything ? 100 : chance.isTrue(0.3) ? 0 : chance.between(1, 200);
    return { pages: this.#announcedPages, bitmap: compact(firstPages(this.#announcedPages)) };
  }

  #takeLast(logic: BitmapLogic, everything: boolean): LastHarvest {
    const { process, record, failureShare } = this.#site;
    const { chance } = process.world;
    if (chance.isTrue(failureShare)) throw FAILED;
    record.guest.runsAtSource = false;
    const late = everything ? 100 : chance.isTrue(0.3) ? 0 : chance.between(1, 300);
    const dirtyPages = logic === 'ahead' ? Math.max(late, this.#announcedPages) : late;
    this.#site.left(dirtyPages);
    const nowUs = process.world.clock.now * 1000;
    const bitmap = encodeBitmap(firstPages(late), logic === 'raw' ? 'raw' : 'compacted');
    return { parkedAt: nowUs, harvestedAt: nowUs, compactedAt: nowUs, dirtyPages, bitmap, chunks: [] };
  }

  #tell(what: () => void): void {
    this.#toMain.do(what);
  }

  #work<T>(done: () => T): Promise<T> {
    const { process, failureShare } = this.#site;
    const { chance } = process.world;
    return new Promise((resolve, reject) => {
      process.after(chance.delay(WORK_MS_MAX), () => {
        if (this.#isDead || chance.isTrue(failureShare)) reject(FAILED);
        else resolve(done());
      });
    });
  }
}
