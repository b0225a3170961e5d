// Runs the code of a hand-over that comes in before it counts: cold code would lengthen the stun by milliseconds.
// Pure, or on scratch of its own; what it makes is thrown away.
import { putCheckpoint } from '../shared/guest/checkpoint.js';
import { REGISTERS_PER_VCPU, type GuestSpec } from '../shared/guest/guest-program.js';
import { allocateMachine, type SharedMachine } from '../shared/guest/shared-machine.js';
import { encodeBitmap } from '../shared/memory/compacted-bitmap.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { REHEARSED_PAGES, rehearsedPages } from '../shared/memory/rehearsed-pages.js';
import { allocateMemory, viewMemory } from '../shared/memory/layout.js';
import { markAbsent } from '../shared/memory/placement.js';
import { FrameReader } from '../shared/wire/frames.js';
import { decodeMessage, encodeMessage, messageNames, type MessageOf } from '../shared/wire/messages.js';
import { checkHandOver, checkLastRound } from './states/hand-over-check.js';
import { allocatePlacementGate, PlacementGate } from './pages/placement-gate.js';
import type { IncomingLimits } from './states/limits.js';
import type { IncomingState } from './states/states.js';
import { stepIncoming } from './states/step.js';

/** Enough for the engine to compile all of it well. */
const FULL_TURNS = 400;
/** Between rounds, to keep it so: well under a millisecond. */
const REFRESHING_TURNS = 3;

const noLimits: IncomingLimits = {
  controlLostMs: 1,
  pagesLostMs: 1,
  retryMs: 1,
  placementMs: 1,
  farewellMs: 1,
  endsWithoutPages: false,
  phases: { prepareMs: 1, idleMs: 1, resumeMs: 1, auditMs: 1, leaveMs: 1 },
};

export class HandOverRehearsal {
  readonly #guest: GuestSpec;
  readonly #reader = new FrameReader(messageNames);
  readonly #machine: SharedMachine;
  readonly #views = viewMemory(allocateMemory(REHEARSED_PAGES * PAGE_BYTES));
  readonly #handOvers: readonly Buffer[];
  readonly #gate = new PlacementGate(allocatePlacementGate(REHEARSED_PAGES), REHEARSED_PAGES);
  #turn = 0;

  /** `spec`: of the guest to come, but for its memory. */
  constructor(spec: GuestSpec) {
    const pageCount = REHEARSED_PAGES;
    const guest = { ...spec, memoryBytes: pageCount * PAGE_BYTES };
    this.#guest = guest;
    this.#machine = allocateMachine({ ...guest, memoryBytes: PAGE_BYTES });
    const missing = rehearsedPages();
    const registers = Array.from({ length: guest.vcpus }, () =>
      new Float64Array(REGISTERS_PER_VCPU).fill(0.5),
    );
    this.#handOvers = (['compacted', 'raw'] as const).map((format) =>
      Buffer.concat(
        encodeMessage({
          name: 'HAND_OVER',
          registers,
          guestClockUs: 1.5,
          pagesFollow: true,
          finalRound: 1,
          finalPages: missing.count(),
          bitmap: encodeBitmap(missing, format),
        }),
      ),
    );
  }

  /** All of it; some tens of milliseconds. */
  rehearse(): void {
    for (let turn = 0; turn < FULL_TURNS; turn++) this.#receive();
  }

  /** A little of it, while there is nothing else to do. */
  refresh(): void {
    for (let turn = 0; turn < REFRESHING_TURNS; turn++) this.#receive();
  }

  #receive(): void {
    const guest = this.#guest;
    const prepare: MessageOf<'PREPARE'> = {
      name: 'PREPARE',
      guest,
      pagePorts: [1],
      faultPort: 1,
      audits: true,
      auditAfterMs: 1,
    };
    let state: IncomingState = {
      name: 'receiving',
      prepare,
      arePagesLost: false,
      placed: { round: 0, pages: 1 },
    };
    const gate = this.#gate;
    for (const frame of this.#reader.consume(this.#handOvers[this.#turn++ % 2]!)) {
      const message = decodeMessage(frame);
      if (message.name !== 'HAND_OVER') return;
      state = stepIncoming(noLimits, state, { kind: 'received', message, receivedAt: 1.5 }).state;
      const { lacking, lackingPages } = checkHandOver(guest, message);
      const validated = { lacking, lackingPages, receivedAt: 1.5, validatedAt: 2 };
      state = stepIncoming(noLimits, state, { kind: 'validated', validated }).state;
      // A pre-copy compares its last round before it resumes.
      if (gate.shut()) checkLastRound(lacking, lacking);
      state = stepIncoming(noLimits, state, { kind: 'confirmed' }).state;
      // The views of this scratch are all that marking pages looks at.
      markAbsent(this.#views, lacking);
      putCheckpoint(this.#machine, message, 1.5);
      const answer: MessageOf<'RESUMED'> = {
        name: 'RESUMED',
        receivedAt: 1.5,
        validationMs: 0.5,
        placementMs: 0.5,
        resumeMs: 0.5,
        answeredAt: 2.5,
        firstSliceAt: message.registers.map(() => 1.5),
      };
      stepIncoming(noLimits, state, { kind: 'resumed', resumedAt: 2.5, answer });
      encodeMessage(answer);
    }
  }
}
