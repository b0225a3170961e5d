// Walks the way of a take-over before it counts, on scratch memory: cold code would lengthen the stun by milliseconds.
// Runs on the fetcher's thread, through the same code; what it makes is thrown away.
import { REGISTERS_PER_VCPU, type GuestSpec } from '../shared/guest/guest-program.js';
import { allocateMachine, type SharedMachine } from '../shared/guest/shared-machine.js';
import { encodeBitmap } from '../shared/memory/compacted-bitmap.js';
import { allocateHandOverGate, HandOverGate } from '../shared/memory/hand-over-gate.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { REHEARSED_PAGES, rehearsedPages } from '../shared/memory/rehearsed-pages.js';
import { SafepointControl } from '../shared/memory/safepoint-control.js';
import { FrameReader } from '../shared/wire/frames.js';
import { encodeAnnouncement, encodeHandOver } from '../shared/wire/switch-over-frames.js';
import { allocatePlacementGate, PlacementGate } from './pages/placement-gate.js';
import { TakeOver } from './take-over.js';

/** Between rounds, to keep it so: well under a millisecond. */
const REFRESHING_TURNS = 2;

export class TakeOverRehearsal {
  readonly #machine: SharedMachine;
  readonly #safepoints: SafepointControl;
  readonly #frames: readonly Buffer[];
  #turn = 0;

  /** `spec`: of the guest to come, but for its memory. */
  constructor(spec: GuestSpec) {
    this.#machine = allocateMachine({ ...spec, memoryBytes: REHEARSED_PAGES * PAGE_BYTES, residentBytes: 0 });
    // Its vCPUs do not exist, so none runs.
    this.#safepoints = new SafepointControl(this.#machine.safepointWords);
    const registers = Array.from({ length: spec.vcpus }, () =>
      new Float64Array(REGISTERS_PER_VCPU).fill(0.5),
    );
    const pages = rehearsedPages();
    const handOver = { pagesFollow: true, finalRound: 0, finalPages: 0, regions: 0, chunks: 0 };
    const checkpoint = { registers, guestClockUs: 1.5 };
    const ahead = Buffer.concat([
      ...encodeAnnouncement({ number: 1, bitmap: encodeBitmap(pages, 'compacted') }),
      ...encodeHandOver({
        ...handOver,
        ...checkpoint,
        announcement: 1,
        bitmap: encodeBitmap(pages, 'compacted'),
      }),
    ]);
    const [compacted, raw] = (['compacted', 'raw'] as const).map((format) =>
      Buffer.concat(
        encodeHandOver({ ...handOver, ...checkpoint, announcement: 0, bitmap: encodeBitmap(pages, format) }),
      ),
    );
    this.#frames = [ahead, ahead, ahead, compacted!, ahead, ahead, ahead, raw!];
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
      placement: new PlacementGate(allocatePlacementGate(REHEARSED_PAGES), REHEARSED_PAGES, 1),
      gate,
      checkRoom: () => undefined,
      answer: () => undefined,
      placing: () => undefined,
      takenOver: () => undefined,
      declined: (error) => {
        throw error;
      },
    });
    const reader = new FrameReader(['PAGE_SENT', 'ANNOUNCEMENT', 'HAND_OVER']);
    for (const { header, body } of reader.consume(this.#frames[this.#turn++ % this.#frames.length]!)) {
      if (header.name === 'ANNOUNCEMENT') takeOver.announce(body);
      else takeOver.handOver(body);
    }
  }
}
