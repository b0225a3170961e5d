// Runs the code of a switch-over before it counts: cold code would lengthen the stun by milliseconds.
// Pure, or on scratch of its own; what it makes is thrown away.
import { takeCheckpoint } from '../shared/guest/checkpoint.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { allocateMachine, type SharedMachine } from '../shared/guest/shared-machine.js';
import { encodeBitmap } from '../shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { FrameReader } from '../shared/wire/frames.js';
import {
  decodeMessage,
  encodeMessage,
  messageNames,
  type Message,
  type MessageOf,
} from '../shared/wire/messages.js';
import type { MigrationPlan } from './states/plan.js';
import type { OutgoingState } from './states/states.js';
import { stepOutgoing } from './states/step.js';

/** Enough for the engine to compile all of it well. */
const FULL_TURNS = 400;
/** Between rounds, to keep it so: well under a millisecond. */
const REFRESHING_TURNS = 3;

export class SwitchOverRehearsal {
  readonly #plan: MigrationPlan;
  readonly #reader = new FrameReader(messageNames);
  readonly #machine: SharedMachine;
  readonly #bitmap: Uint8Array<ArrayBuffer>;
  readonly #answer: Buffer;

  constructor(plan: MigrationPlan, guest: GuestSpec) {
    this.#plan = plan;
    this.#machine = allocateMachine({ ...guest, memoryBytes: PAGE_BYTES });
    this.#bitmap = encodeBitmap(new PageBitmap(guest.memoryBytes / PAGE_BYTES), 'compacted');
    const answer: Message = {
      name: 'RESUMED',
      receivedAt: 1.5,
      validationMs: 0.5,
      placementMs: 0.5,
      resumeMs: 0.5,
      answeredAt: 2.5,
      firstSliceAt: Array.from({ length: guest.vcpus }, () => 1.5),
    };
    this.#answer = Buffer.concat(encodeMessage(answer));
  }

  /** All of it; some tens of milliseconds. */
  rehearse(): void {
    for (let turn = 0; turn < FULL_TURNS; turn++) this.#switchOver();
  }

  /** A little of it, while there is nothing else to do. */
  refresh(): void {
    for (let turn = 0; turn < REFRESHING_TURNS; turn++) this.#switchOver();
  }

  #switchOver(): void {
    const plan = this.#plan;
    const rounds = [{ dirtyPages: 1000, sentBytes: 4_104_000, durationMs: 4 }];
    let state: OutgoingState = {
      control: { name: 'up', instanceId: '' },
      phase: {
        name: 'harvesting',
        soFar: { rounds, roundTripMs: 0.1, isOvertime: false, throttledShare: 0 },
        keptPages: 0,
      },
    };
    state = stepOutgoing(plan, state, { kind: 'harvested', dirtyPages: 1 }).state;
    const { registers, guestClockUs } = takeCheckpoint(this.#machine);
    const handOver: MessageOf<'HAND_OVER'> = {
      name: 'HAND_OVER',
      registers: [...registers],
      guestClockUs,
      pagesFollow: true,
      finalRound: 1,
      finalPages: 0,
      bitmap: this.#bitmap,
    };
    state = stepOutgoing(plan, state, { kind: 'taken', handOver }).state;
    encodeMessage(handOver);
    for (const frame of this.#reader.consume(this.#answer)) {
      stepOutgoing(plan, state, { kind: 'received', message: decodeMessage(frame), receivedAt: 1.5 });
    }
  }
}
