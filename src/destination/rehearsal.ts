// Walks the way of a take-over before it counts, on scratch memory: cold code would lengthen the stun by milliseconds.
// Runs on the fetcher's thread, through the same code; what it makes is thrown away.
import { REGISTERS_PER_VCPU, type GuestSpec } from '../shared/guest/guest-program.js';
import { takeDeviceStates } from '../shared/guest/devices/device-state.js';
import { rehearsedMachine } from '../shared/guest/rehearsed-machine.js';
import type { SharedMachine } from '../shared/guest/shared-machine.js';
import { encodeBitmap } from '../shared/memory/compacted-bitmap.js';
import { allocateHandOverGate, HandOverGate } from '../shared/memory/hand-over-gate.js';
import { viewMemory, type MemoryViews } from '../shared/memory/layout.js';
import type { PageBitmap } from '../shared/memory/page-bitmap.js';
import { slotsOf } from '../shared/memory/regions.js';
import { SafepointControl } from '../shared/memory/safepoint-control.js';
import { CLEAR_CHUNK, spaceChunks } from '../shared/memory/space-bitmap.js';
import type { PlacedReads } from '../shared/wire/intake.js';
import { PlacedFrameReader } from '../shared/wire/placed-frames.js';
import {
  encodeAnnouncement,
  encodeChunk,
  encodeHandOver,
  encodeRegions,
  type HandOver,
} from '../shared/wire/switch-over-frames.js';
import { allocatePlacementGate, PlacementGate } from './pages/placement-gate.js';
import { TakeOver } from './take-over.js';

/** Between rounds, to keep it so: well under a millisecond. */
const REFRESHING_TURNS = 2;

export class TakeOverRehearsal {
  readonly #machine: SharedMachine;
  readonly #safepoints: SafepointControl;
  readonly #frames: readonly Buffer[];
  readonly #pageCount: number;
  #turn = 0;

  /** `spec`: of the guest to come, but for its memory. */
  constructor(spec: GuestSpec) {
    const { machine, pages, pageCount } = rehearsedMachine(spec);
    this.#machine = machine;
    this.#pageCount = pageCount;
    // Its vCPUs do not exist, so none runs.
    this.#safepoints = new SafepointControl(this.#machine.safepointWords);
    const views = viewMemory(machine.memory);
    // Of a guest in one piece nothing is told.
    const told = views.regions.first === 0 ? [] : slotsOf(views.regions);
    const handOver = {
      pagesFollow: true,
      finalRound: 0,
      finalPages: 0,
      announcement: 0,
      regions: told.length,
      chunks: 0,
      registers: Array.from({ length: spec.vcpus }, () => new Float64Array(REGISTERS_PER_VCPU).fill(0.5)),
      devices: takeDeviceStates(machine),
      isPaused: false,
      guestClockUs: 1.5,
      stoppedAtUs: 1.5,
    };
    const bitmap = encodeBitmap(pages, 'compacted');
    const regions = told.length === 0 ? [] : encodeRegions(told);
    const ahead = Buffer.concat([
      ...regions,
      ...encodeAnnouncement({ number: 1, bitmap }),
      ...encodeHandOver({ ...handOver, announcement: 1, bitmap }),
    ]);
    const compacted = Buffer.concat([...regions, ...encodeHandOver({ ...handOver, bitmap })]);
    const raw = Buffer.concat([...regions, ...rawFrames(handOver, views, pages)]);
    this.#frames = [ahead, ahead, ahead, compacted, ahead, ahead, ahead, raw];
  }

  /** One of many turns, each logic of the bitmap among them; well under a millisecond. */
  turn(): void {
    this.#receive();
  }

  /** A little of it, while there is nothing else to do. */
  refresh(): void {
    for (let turn = 0; turn < REFRESHING_TURNS; turn++) this.#receive();
  }

  #receive(): void {
    const gate = new HandOverGate(allocateHandOverGate());
    gate.open();
    const takeOver = new TakeOver({
      machine: this.#machine,
      safepoints: this.#safepoints,
      placement: new PlacementGate(allocatePlacementGate(this.#pageCount), this.#pageCount, 1),
      gate,
      traces: false,
      checkRoom: () => undefined,
      answer: () => undefined,
      placing: () => undefined,
      takenOver: () => undefined,
      declined: (error) => {
        throw error;
      },
    });
    const reader = new PlacedFrameReader({
      expected: ['PAGE_SENT', 'ANNOUNCEMENT', 'HAND_OVER', 'REGIONS', 'BITMAP_CHUNK'],
      bodyBytesMax: Infinity,
      known: { name: 'BITMAP_CHUNK', body: CLEAR_CHUNK },
      take: ({ header, body }) => {
        if (header.name === 'ANNOUNCEMENT') takeOver.announce(body);
        else if (header.name === 'REGIONS') takeOver.takeRegions(body);
        else if (header.name === 'BITMAP_CHUNK') takeOver.takeChunk(body);
        else takeOver.handOver(body);
      },
    });
    feed(reader, this.#frames[this.#turn++ % this.#frames.length]!);
  }
}

// As the kernel writes what came, in pieces of the reader's choice.
function feed(reader: PlacedReads, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) {
    const { target } = reader;
    const byteCount = Math.min(target.length, bytes.length - at);
    target.set(bytes.subarray(at, at + byteCount));
    reader.advance(byteCount);
    at += byteCount;
  }
}

// Of a guest in segments a raw bitmap is chunks, and the bitmap itself is empty.
function rawFrames(handOver: Omit<HandOver, 'bitmap'>, views: MemoryViews, pages: PageBitmap): Uint8Array[] {
  if (views.regions.first === 0) return encodeHandOver({ ...handOver, bitmap: encodeBitmap(pages, 'raw') });
  const chunks = spaceChunks(views, pages);
  const bitmap = encodeBitmap(pages.upTo(0), 'compacted');
  return [...chunks.flatMap(encodeChunk), ...encodeHandOver({ ...handOver, chunks: chunks.length, bitmap })];
}
