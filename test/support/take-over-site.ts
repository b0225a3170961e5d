// A place for a guest to be taken over: a real machine whose vCPUs never run, its gates, and all that is done with them
// written down in order.
// Knows how frames are made; what must come of them is the tests'.
import { allocatePlacementGate, PlacementGate } from '../../src/destination/pages/placement-gate.js';
import { TakeOver, type TakenOver } from '../../src/destination/take-over.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import {
  allocateMachine,
  MachineSettings,
  registersOf,
  type SharedMachine,
} from '../../src/shared/guest/shared-machine.js';
import { encodeBitmap, type BitmapFormat } from '../../src/shared/memory/compacted-bitmap.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { layOutSegments, viewMemory, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState } from '../../src/shared/memory/pages.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { Command } from '../../src/shared/memory/safepoint-words.js';
import { FRAME_HEADER_BYTES, FrameReader } from '../../src/shared/wire/frames.js';
import { decodeMark } from '../../src/shared/wire/page-frames.js';
import {
  encodeAnnouncement,
  encodeHandOver,
  encodeRegions,
  type HandOver,
  type RegionSlot,
} from '../../src/shared/wire/switch-over-frames.js';

export const INCOMING_PAGES = 1100;
const VCPUS = 2;
const RECEIVERS = 2;

export function bitmapOf(
  pages: readonly number[],
  format: BitmapFormat = 'compacted',
  pageCount = INCOMING_PAGES,
): Uint8Array {
  const bitmap = new PageBitmap(pageCount);
  for (const page of pages) bitmap.add(page);
  return encodeBitmap(bitmap, format);
}

/** The body of an announcement. */
export function announcement(number: number, ...pages: readonly number[]): Buffer {
  return bodyOf(encodeAnnouncement({ number, bitmap: bitmapOf(pages) }));
}

/** The body of a hand-over of a guest whose pages follow, but for what is told. */
export function handOver(told: Partial<HandOver> & { readonly pages?: readonly number[] } = {}): Buffer {
  const { pages = [], ...rest } = told;
  return bodyOf(
    encodeHandOver({
      announcement: 1,
      pagesFollow: true,
      finalRound: 0,
      finalPages: 0,
      regions: 0,
      chunks: 0,
      isPaused: false,
      stoppedAtUs: 0,
      devices: [],
      registers: Array.from({ length: VCPUS }, (_, vcpu) =>
        new Float64Array(REGISTERS_PER_VCPU).fill(vcpu + 1),
      ),
      guestClockUs: 4000,
      bitmap: bitmapOf(pages),
      ...rest,
    }),
  );
}

/** The body of a REGIONS: pairs of slot and region. */
export function regions(...told: readonly RegionSlot[]): Buffer {
  return bodyOf(encodeRegions(told));
}

/** The body of a frame. */
export function bodyOf(frame: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frame).subarray(FRAME_HEADER_BYTES);
}

/** What a vCPU would see from then on, and what the guest would be if the answer arrived then. */
export interface Sight {
  readonly when: string;
  readonly absent: number[];
  readonly isHandedOver: boolean;
  /** One of each vCPU. */
  readonly registers: number[];
  readonly clockUs: number;
}

/** A guest in segments that comes: so much of an address space, and so many slots to put it in. */
export interface IncomingSegments {
  readonly memoryBytes: number;
  readonly slots: number;
}

export class TakeOverSite {
  /** Bytes that a guest in segments took in all, each time that it took more. */
  readonly roomAsked: number[] = [];
  /** What is thrown when it takes more, if anything is. */
  noRoom: Error | undefined;
  readonly machine: SharedMachine;
  readonly views: MemoryViews;
  readonly safepoints: SafepointControl;
  readonly gate = new HandOverGate(allocateHandOverGate());
  readonly placement: PlacementGate;
  /** What happened, in order: answers with their numbers, the command to run, and what was told. */
  readonly log: string[] = [];
  /** At each answer and each command. */
  readonly seen: Sight[] = [];
  /** What happens after the hand-over was read, and before its gate is passed. */
  whileChecked: () => unknown = () => undefined;
  facts: TakenOver | undefined;
  declined: unknown;
  readonly takeOver: TakeOver;

  /** In one piece unless told; `isOpen`: the place is ready, and the guest may come. */
  constructor(segments?: IncomingSegments, isOpen = true) {
    const memoryBytes = segments?.memoryBytes ?? INCOMING_PAGES * PAGE_BYTES;
    this.machine = allocateMachine(
      {
        program: 'replay',
        memoryBytes,
        vcpus: VCPUS,
        seed: 0,
        writeRate: 0,
        hotSetBytes: 0,
        residentBytes: 0,
        devices: [],
      },
      segments === undefined ? undefined : layOutSegments(memoryBytes, segments.slots),
    );
    this.views = viewMemory(this.machine.memory);
    this.safepoints = new SafepointControl(this.machine.safepointWords);
    const { pageCount } = this.views;
    this.placement = new PlacementGate(allocatePlacementGate(pageCount), pageCount, RECEIVERS);
    this.takeOver = this.#newTakeOver();
    if (isOpen) this.gate.open();
  }

  /** Every receiver has placed `round`, which brought these pages with their check. */
  placed(round: number, ...pages: readonly number[]): void {
    this.placement.newestPages.clear();
    for (const page of pages) this.placement.newestPages.add(page);
    for (let receiver = 0; receiver < RECEIVERS; receiver++) this.placement.notePlaced(receiver, round);
  }

  /** Pages that are marked ABSENT. */
  get absent(): number[] {
    const { pageTable, pageCount } = this.views;
    return [...pageTable.subarray(0, pageCount).entries()]
      .filter(([, state]) => state === PageState.ABSENT)
      .map(([page]) => page);
  }

  #newTakeOver(): TakeOver {
    const { safepoints } = this;
    return new TakeOver({
      traces: false,
      checkRoom: (bytes) => {
        this.roomAsked.push(bytes);
        if (this.noRoom !== undefined) throw this.noRoom;
      },
      machine: this.machine,
      safepoints: {
        alert: () => undefined,
        handOver: (pages) => {
          safepoints.handOver(pages);
        },
        command: (command) => {
          this.#look(command === Command.RUN ? 'RUN' : `command ${command}`);
          safepoints.command(command);
        },
        areAllParked: () => safepoints.areAllParked(),
        state: (vcpu) => safepoints.state(vcpu),
        vcpus: VCPUS,
        get lackingPages() {
          return safepoints.lackingPages;
        },
      },
      placement: {
        shut: () => this.placement.shut(),
        newestPages: this.placement.newestPages,
        placedRound: (round) => {
          this.whileChecked();
          return this.placement.placedRound(round);
        },
      },
      gate: this.gate,
      answer: (frame) => {
        for (const { header, body } of new FrameReader(['ANNOUNCED', 'TAKEN_OVER']).consume(
          Buffer.from(frame),
        ))
          this.#look([header.name, ...decodeMark(body)].join(' '));
      },
      placing: () => {
        this.log.push('placing');
      },
      takenOver: (facts) => {
        this.facts = facts;
        this.log.push('taken over');
      },
      declined: (error) => {
        this.declined = error;
        this.log.push('declined');
      },
    });
  }

  #look(when: string): void {
    this.log.push(when);
    const { machine, safepoints, absent } = this;
    this.seen.push({
      when,
      absent,
      isHandedOver: safepoints.isHandedOver,
      registers: Array.from({ length: VCPUS }, (_, vcpu) => registersOf(machine, vcpu)[0]!),
      clockUs: new MachineSettings(machine).guestClockFromUs,
    });
  }
}
