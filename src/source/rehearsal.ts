// Walks the way of a switch-over before it counts, on scratch memory: cold code would lengthen the stun by milliseconds.
// Runs on the tracer's thread, through the same code; what it makes is thrown away.
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { rehearsedMachine } from '../shared/guest/rehearsed-machine.js';
import type { SharedMachine } from '../shared/guest/shared-machine.js';
import { allocateHandOverGate, HandOverGate } from '../shared/memory/hand-over-gate.js';
import { viewMemory, type MemoryViews } from '../shared/memory/layout.js';
import type { PageBitmap } from '../shared/memory/page-bitmap.js';
import { PageState, REGION_PAGE_SHIFT } from '../shared/memory/pages.js';
import { SafepointControl } from '../shared/memory/safepoint-control.js';
import { FrameReader } from '../shared/wire/frames.js';
import { decodeMark, encodeMark } from '../shared/wire/page-frames.js';
import { Departure, type DepartureLine } from './tracer/departure.js';
import { bitmapLogics, Tracer, type BitmapLogic } from './tracer/tracer.js';

/** Between rounds, to keep it so: well under a millisecond. */
const REFRESHING_TURNS = 2;

export class SwitchOverRehearsal {
  readonly #machine: SharedMachine;
  readonly #views: MemoryViews;
  readonly #safepoints: SafepointControl;
  readonly #tracer: Tracer;
  readonly #pages: PageBitmap;
  #turns = 0;
  readonly #line: DepartureLine = {
    isUp: true,
    areFaultsServed: false,
    write: (frame) => frame.length,
    sendAhead: () => undefined,
  };

  /** `spec`: of the guest that leaves, but for its memory. */
  constructor(spec: GuestSpec) {
    const { machine, pages } = rehearsedMachine(spec);
    this.#machine = machine;
    this.#pages = pages;
    this.#views = viewMemory(this.#machine.memory);
    // Its vCPUs never run, so nothing waits.
    this.#safepoints = new SafepointControl(this.#machine.safepointWords);
    this.#tracer = new Tracer(this.#machine.memory, this.#safepoints);
    this.#tracer.installTraces();
  }

  /** One of many turns, each logic of the bitmap among them; well under a millisecond. */
  turn(): void {
    const turn = this.#turns++;
    this.#switchOver(turn % 8 === 0 ? bitmapLogics[(turn / 8) % 2]! : 'ahead');
  }

  /** A little of it, before a harvest. */
  refresh(): void {
    for (let turn = 0; turn < REFRESHING_TURNS; turn++) this.#switchOver('ahead');
  }

  #switchOver(logic: BitmapLogic): void {
    const gate = new HandOverGate(allocateHandOverGate());
    gate.open();
    const departure = new Departure({
      machine: this.#machine,
      regions: this.#views.regions,
      safepoints: this.#safepoints,
      tracer: this.#tracer,
      gate,
      line: this.#line,
      ahead: () => [],
      departed: () => undefined,
      stayed: (error) => {
        throw error;
      },
    });
    this.#dirtyPages(0);
    this.#tracer.harvest();
    departure.begin({
      round: 1,
      pagesFollow: true,
      pagesMax: Infinity,
      logic,
      everything: false,
      aheadUs: 0.5,
      aheadMax: 0,
    });
    // What the guest dirties while the bitmap is on its way.
    this.#dirtyPages(this.#pages.pageCount / 2);
    this.#answer('ANNOUNCED', (number) => {
      departure.announced(number);
    });
    this.#answer('TAKEN_OVER', () => {
      departure.takenOver();
    });
  }

  #answer(name: 'ANNOUNCED' | 'TAKEN_OVER', answered: (number: number) => void): void {
    const reader = new FrameReader(['PAGE_WANTED', 'ANNOUNCED', 'TAKEN_OVER']);
    for (const { body } of reader.consume(encodeMark(name, 1, 0))) answered(decodeMark(body)[0]);
  }

  #dirtyPages(from: number): void {
    const { pageTable, summary } = this.#views;
    for (
      let page = this.#pages.nextSet(from);
      page < this.#pages.pageCount;
      page = this.#pages.nextSet(page + 1)
    ) {
      pageTable[page] = PageState.PRESENT;
      summary[page >>> REGION_PAGE_SHIFT] = 1;
    }
  }
}
