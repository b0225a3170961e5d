// A place for a guest's leaving: a real tracer and real safepoints of a machine whose vCPUs never run, a gate, and a line
// that writes down what is said on it.
// Knows what the frames hold; what must be said when is the tests'.
import { allocateMachine, type SharedMachine } from '../../src/shared/guest/shared-machine.js';
import { expand, statedPages } from '../../src/shared/memory/compacted-bitmap.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { viewMemory, type MemoryHandle, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_PAGE_SHIFT } from '../../src/shared/memory/pages.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { Command } from '../../src/shared/memory/safepoint-words.js';
import { FrameReader } from '../../src/shared/wire/frames.js';
import {
  decodeAnnouncement,
  decodeHandOver,
  decodeRegions,
  type HandOver,
} from '../../src/shared/wire/switch-over-frames.js';
import { Departure, type Departed } from '../../src/source/tracer/departure.js';
import { Tracer } from '../../src/source/tracer/tracer.js';

const VCPUS = 2;
/** Two regions and the beginning of a third. */
export const DEPARTING_PAGES = 1100;

/** How it is to leave, unless a test says otherwise. */
export const HOW = {
  round: 3,
  pagesFollow: true,
  pagesMax: Infinity,
  logic: 'ahead',
  everything: false,
  aheadUs: 0,
  aheadMax: 5,
} as const;

/** The pages of a set, in order. */
export function pagesIn(bitmap: PageBitmap): number[] {
  return Array.from({ length: bitmap.pageCount }, (_, page) => page).filter((page) => bitmap.has(page));
}

export class DepartureSite {
  readonly machine: SharedMachine;
  readonly safepoints: SafepointControl;
  readonly tracer: Tracer;
  readonly gate = new HandOverGate(allocateHandOverGate());
  /** What happened, in order: frames that were said with their pages, the command to park, and how it ended. */
  readonly log: string[] = [];
  readonly written: Buffer[] = [];
  readonly bitmaps: Uint8Array[] = [];
  readonly chunks: Buffer[] = [];
  readonly bitmapBytes: number[] = [];
  /** Whether pages could be asked for when a frame was said. */
  readonly servedAtWriting: boolean[] = [];
  handOver: HandOver | undefined;
  left: Departed | undefined;
  stayed: unknown = 'nobody said so';
  /** What happens between the command to park and the hand-over. */
  whileParked: () => unknown = () => undefined;
  /** What goes behind the hand-over; asked with how many pages lack in all, and how many may go. */
  ahead: (lackingPages: number, pagesMax: number) => readonly number[] = () => [];
  readonly line = {
    isUp: true,
    areFaultsServed: false,
    write: (frame: readonly Uint8Array[], bitmapBytes: number): number => this.#write(frame, bitmapBytes),
    sendAhead: (pages: readonly number[]): void => {
      if (pages.length > 0) this.log.push(`ahead: ${pages.join(' ')}`);
    },
  };
  readonly departure: Departure;
  readonly #views: MemoryViews;

  /** In one piece unless it is laid out already. */
  constructor(memory?: MemoryHandle) {
    this.machine = allocateMachine(
      {
        program: 'replay',
        memoryBytes: memory?.memoryBytes ?? DEPARTING_PAGES * PAGE_BYTES,
        vcpus: VCPUS,
        seed: 0,
        writeRate: 0,
        hotSetBytes: 0,
        residentBytes: 0,
        devices: [],
      },
      memory,
    );
    this.#views = viewMemory(this.machine.memory);
    this.safepoints = new SafepointControl(this.machine.safepointWords);
    this.tracer = new Tracer(this.machine.memory, this.safepoints);
    this.departure = this.#newDeparture();
    this.tracer.installTraces();
    this.tracer.harvest();
    this.gate.open();
    this.safepoints.command(Command.RUN);
  }

  /** Pages that the last harvest took, and nobody has copied. */
  dirtied(...pages: readonly number[]): void {
    this.dirties(...pages);
    this.tracer.harvest();
  }

  /** Pages that the guest stores to, since. */
  dirties(...pages: readonly number[]): void {
    const { pageTable, summary } = this.#views;
    for (const page of pages) {
      pageTable[page] = PageState.PRESENT;
      summary[page >>> REGION_PAGE_SHIFT] = 1;
    }
  }

  /** Pages that a push is to bring first. */
  get latePages(): number[] {
    return pagesIn(new PageBitmap(DEPARTING_PAGES, this.#views.lateWords));
  }

  #newDeparture(): Departure {
    const { machine, safepoints, tracer, gate, line } = this;
    return new Departure({
      machine,
      regions: this.#views.regions,
      safepoints: {
        command: (command) => {
          this.log.push(command === Command.PARK ? 'park' : `command ${command}`);
          safepoints.command(command);
        },
        areAllParked: () => safepoints.areAllParked(),
        state: (vcpu) => safepoints.state(vcpu),
        vcpus: VCPUS,
      },
      tracer: {
        announce: (everything) => tracer.announce(everything),
        takeLast: (logic, everything) => {
          const last = tracer.takeLast(logic, everything);
          this.whileParked();
          return last;
        },
        get dirty() {
          return tracer.dirty;
        },
      },
      gate,
      line,
      ahead: (lackingPages, pagesMax) => this.ahead(lackingPages, pagesMax),
      departed: (departed) => {
        this.left = departed;
        this.log.push('departed');
      },
      stayed: (error) => {
        this.stayed = error;
        this.log.push('stayed');
      },
    });
  }

  #write(frame: readonly Uint8Array[], bitmapBytes: number): number {
    const bytes = Buffer.concat(frame);
    this.written.push(bytes);
    this.bitmapBytes.push(bitmapBytes);
    this.servedAtWriting.push(this.line.areFaultsServed);
    const said = ['ANNOUNCEMENT', 'HAND_OVER', 'REGIONS', 'BITMAP_CHUNK'] as const;
    for (const { header, body } of new FrameReader(said).consume(bytes)) {
      if (header.name === 'BITMAP_CHUNK') {
        this.chunks.push(body);
        continue;
      }
      if (header.name === 'REGIONS') {
        this.log.push(
          `REGIONS ${decodeRegions(body)
            .map((told) => told.join('='))
            .join(' ')}`,
        );
        continue;
      }
      if (header.name === 'HAND_OVER') this.handOver = decodeHandOver(body, VCPUS, 0);
      const { bitmap } = this.handOver ?? decodeAnnouncement(body);
      const pages = pagesIn(expand(bitmap, statedPages(bitmap))).join(' ');
      const of = this.handOver?.announcement ?? decodeAnnouncement(body).number;
      this.bitmaps.push(bitmap);
      this.log.push(`${header.name}${this.handOver === undefined ? '' : ' of'} ${of}: ${pages}`);
    }
    return bytes.length;
  }
}
