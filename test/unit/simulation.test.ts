import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admit } from '../../src/destination/door.js';
import { IncomingMigration } from '../../src/destination/incoming.js';
import { TakeOver, type TakeOverParts } from '../../src/destination/take-over.js';
import { stepIncoming } from '../../src/destination/states/step.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { decodeHeader } from '../../src/shared/wire/frames.js';
import { stepOutgoing } from '../../src/source/states/step.js';
import type { UnclaimedConnection } from '../../src/shared/wire/control.js';
import type { SimulatedMachine } from '../support/simulated-machine.js';
import { plantedDestination, plantedSource, type DriverChange } from '../support/planted-driver.js';
import { REAL, simulate, type Machines, type Story } from '../support/simulation.js';

/** SIM_SEED=n tells one story with its trace; SIM_COUNT=n tries as many seeds. */
const oneSeed = process.env['SIM_SEED'];
const seeds = Number(process.env['SIM_COUNT'] ?? 4_000);
const PLANTED_SEEDS_MAX = 20_000;
/** Counted in seeds, not in time: a busy machine only takes longer. */
const SIMULATING = { timeout: 900_000 };

const traceLimit = Error.stackTraceLimit;

beforeAll(() => {
  // The machines make errors by the thousand, and nobody reads where.
  Error.stackTraceLimit = 0;
});

afterAll(() => {
  Error.stackTraceLimit = traceLimit;
});

/** Expects some seed to find out, and its violation to be what the bug does. */
async function expectFound(planted: Partial<Machines>, reason: RegExp): Promise<void> {
  const machines = { ...REAL, ...planted };
  for (let seed = 1; seed <= PLANTED_SEEDS_MAX; seed++) {
    const { violation } = await simulate(seed, { machines });
    if (violation !== undefined && reason.test(violation)) return;
  }
  throw new Error(`no seed up to ${PLANTED_SEEDS_MAX} found ${reason.source}`);
}

/** Answers a hand-over once, on whichever connection that is. */
function saysOnce(parts: TakeOverParts): TakeOver {
  let isSaid = false;
  return new TakeOver({
    ...parts,
    answer: (frame) => {
      const isAnswer = decodeHeader(Buffer.from(frame)).name === 'TAKEN_OVER';
      if (!isAnswer || !isSaid) parts.answer(frame);
      isSaid ||= isAnswer;
    },
  });
}

function tell({ seed, violation, trace }: Story): string {
  return [`SIM_SEED=${seed}: ${violation ?? 'nothing is wrong'}`, ...trace].join('\n');
}

describe.runIf(oneSeed !== undefined)('the simulation of one seed', () => {
  it('breaks no promise', async () => {
    const story = await simulate(Number(oneSeed), { isTraced: true });
    console.log(tell(story));
    expect(story.violation).toBeUndefined();
  });
});

describe.runIf(oneSeed === undefined)('the simulation', SIMULATING, () => {
  it('breaks no promise, whatever is cut, killed, stalled or cancelled, and meets every kind of ending', async () => {
    const endings = new Set<string>();
    const cancelledIn = new Set<string>();
    for (let seed = 1; seed <= seeds; seed++) {
      const story = await simulate(seed);
      if (story.violation !== undefined) throw new Error(tell(await simulate(seed, { isTraced: true })));
      for (const record of story.records) {
        const { isHandedOver, sourceEnd, destinationReport } = record;
        for (const phase of record.cancelledIn) cancelledIn.add(phase);
        endings.add(`source: ${sourceEnd ?? 'killed'}${isHandedOver ? ' after HAND_OVER' : ''}`);
        if (destinationReport !== undefined) endings.add(`destination: ${destinationReport}`);
      }
    }
    expect([...cancelledIn].sort()).toEqual([
      'awaiting-audit',
      'connecting',
      'copying',
      'ended',
      'handing-over',
      'harvesting',
      'installing-traces',
      'measuring-clock',
      'notifying',
      'preparing',
      'pushing',
      'stopping',
    ]);
    expect([...endings].sort()).toEqual([
      'destination: failed',
      'destination: killed',
      'destination: pages-lost',
      'source: completed after HAND_OVER',
      'source: destination after HAND_OVER',
      'source: in doubt after HAND_OVER',
      'source: killed',
      'source: killed after HAND_OVER',
      'source: lost after HAND_OVER',
      'source: source',
      'source: source after HAND_OVER',
    ]);
  });

  it('has guests that throw in every phase of both sides in which they run, or wait to', async () => {
    const phasesThere = [
      ...['greeted', 'preparing', 'receiving', 'placing', 'resuming'],
      ...['running', 'auditing', 'told', 'ended'],
    ].map((phase) => `destination: ${phase}`);
    const phases = [
      ...['connecting', 'preparing', 'measuring-clock', 'installing-traces', 'copying', 'harvesting'],
      ...['notifying', 'stopping'],
    ].map((phase) => `source: ${phase}`);
    const missing = new Set([...phasesThere, ...phases]);
    for (let seed = 1; seed <= PLANTED_SEEDS_MAX && missing.size > 0; seed++)
      for (const one of (await simulate(seed)).thrown) missing.delete(one);
    expect([...missing]).toEqual([]);
  });

  it('is the same story for the same seed', async () => {
    expect(await simulate(42, { isTraced: true })).toEqual(await simulate(42, { isTraced: true }));
  });
});

describe.runIf(oneSeed === undefined)('the simulation of a planted bug', SIMULATING, () => {
  it('finds a source that takes a lost link for a refusal', async () => {
    await expectFound(
      {
        stepOutgoing: (plan, state, event) =>
          event.kind === 'control-lost' && state.phase.name === 'handing-over'
            ? stepOutgoing(plan, { ...state, phase: { name: 'stopping', asks: 0 } }, CANCEL)
            : stepOutgoing(plan, state, event),
      },
      /without a refusal|runs at the source and at|that the destination has resumed/,
    );
  });

  it('finds a source that believes the refusal of a destination that was restarted', async () => {
    await expectFound(
      {
        stepOutgoing: (plan, state, event) =>
          event.kind === 'received' && event.message.name === 'REFUSAL' && state.phase.name === 'handing-over'
            ? stepOutgoing(plan, { ...state, control: { name: 'up', instanceId: 'whoever' } }, event)
            : stepOutgoing(plan, state, event),
      },
      /that the destination has resumed/,
    );
  });

  it('finds a source that takes a destination that forgot its hand-over for one that refused it', async () => {
    await expectFound(
      {
        stepOutgoing: (plan, state, event) =>
          event.kind === 'received' &&
          event.message.name === 'REFUSAL' &&
          event.message.code === 'UNKNOWN_MIGRATION'
            ? stepOutgoing(plan, state, { ...event, message: { ...event.message, code: 'CANCELLED' } })
            : stepOutgoing(plan, state, event),
      },
      /that the destination has resumed/,
    );
  });

  it('finds a destination that begins anew with a migration that it has forgotten', async () => {
    await expectFound(
      { admit: (door, welcomedBy) => (welcomedBy === '' ? admit(door, welcomedBy) : admit(door, '')) },
      /refused after it was resumed/,
    );
  });

  it('finds a destination that resumes what it has refused', async () => {
    await expectFound(
      {
        stepIncoming: (limits, state, event) => {
          const step = stepIncoming(limits, state, event);
          const isRefused = step.state.name === 'ended' && step.state.outcome.kind === 'refused';
          return isRefused && (state.name === 'receiving' || state.name === 'placing')
            ? { state, effects: step.effects.filter(({ kind }) => kind === 'send') }
            : step;
        },
      },
      /resumed after it was refused/,
    );
  });

  it('finds a destination that gives up the pages of a source that comes back', async () => {
    await expectFound(
      {
        stepIncoming: (limits, state, event) =>
          stepIncoming({ ...limits, endsWithoutPages: true }, state, event),
      },
      /given up that the source keeps/,
    );
  });

  it('finds a destination that does not say its answers again', async () => {
    await expectFound(
      {
        takeOver: saysOnce,
        stepIncoming: (limits, state, event) => {
          const step = stepIncoming(limits, state, event);
          return event.kind === 'attached'
            ? { state: step.state, effects: step.effects.filter(({ kind }) => kind !== 'send') }
            : step;
        },
      },
      /hangs|never learned/,
    );
  });

  it('finds a destination that forgets that all pages arrived before it knew that the guest runs', async () => {
    await expectFound(
      {
        stepIncoming: (limits, state, event) =>
          event.kind === 'all-arrived' && state.name === 'resuming'
            ? { state, effects: [] }
            : stepIncoming(limits, state, event),
      },
      /the source hangs while pushing|never learned/,
    );
  });

  it('finds a destination that sends away a source that comes back before its connection is known to be lost', async () => {
    class Jealous extends IncomingMigration<SimulatedMachine> {
      #attached: UnclaimedConnection | undefined;

      override attach(offered: UnclaimedConnection): void {
        if (this.#attached !== undefined && !this.isAbandoned) {
          offered.drop();
          return;
        }
        this.#attached = offered;
        super.attach(offered);
      }
    }
    await expectFound(
      { takeOver: saysOnce, beginIncoming: (...all) => new Jealous(...all) },
      /hangs|never learned/,
    );
  });

  it('finds a destination that forgets, while it closes, what it has answered', async () => {
    class Forgetful extends IncomingMigration<SimulatedMachine> {
      override get lastMessages(): [] {
        return [];
      }
    }
    await expectFound({ beginIncoming: (...all) => new Forgetful(...all) }, /hangs|never learned/);
  });

  it('finds a destination that lets a guest in while the one before it is leaving, and there is no place for it', async () => {
    await expectFound(
      {
        admit: (door, welcomedBy) => {
          const admission = admit(door, welcomedBy);
          return admission === 'make-way' ? 'begin' : admission;
        },
      },
      /has a place, and there is none for it/,
    );
  });

  it('finds a driver whose guest that was refused is resumed all the same: its fetcher passes another gate', async () => {
    await expectFound(
      {
        beginIncoming: (id, ticket, options, hands) =>
          new IncomingMigration(id, ticket, options, {
            ...hands,
            fetcher: (place, ...all) => {
              const gate = allocateHandOverGate();
              new HandOverGate(gate).open();
              return hands.fetcher({ ...place, gate }, ...all);
            },
          }),
      },
      /resumed after it was refused|refused after it was resumed|runs at the source and at/,
    );
  });

  it('finds a source that takes a wish for a moment for consent', async () => {
    await expectFound(
      {
        stepOutgoing: (plan, state, event) =>
          event.kind === 'guest-answered'
            ? stepOutgoing(plan, state, { ...event, answer: { kind: 'ready' } })
            : stepOutgoing(plan, state, event),
      },
      /without its consent/,
    );
  });

  it('finds a source that takes its leave once the guest runs, before every page has arrived', async () => {
    await expectFound(
      {
        stepOutgoing: (plan, state, event) => {
          const step = stepOutgoing(plan, state, event);
          if (step.state.phase.name !== 'pushing' || state.phase.name === 'pushing') return step;
          const outcome = { kind: 'completed' } as const;
          return {
            state: { ...step.state, phase: { name: 'ended', outcome } },
            effects: [{ kind: 'hang-up' }, { kind: 'end', outcome }],
          };
        },
      },
      /completed, and pages are missing/,
    );
  });
});

describe.runIf(oneSeed === undefined)(
  "the simulation of a bug planted in the source's driver",
  SIMULATING,
  () => {
    it.each<[string, DriverChange, RegExp]>([
      [
        'keeps a guest here that has been handed over, whatever its gate says',
        { file: 'outgoing.js', from: "({ state }) => state.phase.name === 'stopping'", to: '() => true' },
        /without a refusal|runs at the source and at|that the destination has resumed|is sent while the guest runs/,
      ],
      [
        'does not wait to hear that the guest has gone before it hears of anything else',
        { file: 'outgoing.js', from: "this.#state.phase.name === 'stopping', ()", to: 'false, ()' },
        /hangs|never learned|that it owns the guest|runs nowhere|without a refusal/,
      ],
      [
        'does not tell a guest that was asked that it stays',
        { file: 'release.js', from: 'machine.notices.tellStayed(isParked);', to: '' },
        /a guest that was asked/,
      ],
      [
        'takes no guest for one that has a say',
        { file: 'outgoing.js', from: 'hands.guest.notices.isToBeAsked', to: 'false' },
        /without its consent/,
      ],
      [
        'serves the pages of a guest that it runs again',
        { file: 'release.js', from: 'await tracer.removeTraces();', to: '' },
        /pages of a guest that runs here/,
      ],
      [
        'keeps a connection that was dialled when it is over',
        { file: 'control-line.js', from: 'unowned.drop();', to: ';' },
        /a control connection is open after the end/,
      ],
      [
        'does not end the connection that it hangs up',
        { file: 'control-line.js', from: 'ended.end();', to: '' },
        /a control connection is open after the end/,
      ],
      [
        'says that the guest stays, and does not let it run',
        { file: 'performer.js', from: 'await this.#work.releaseGuest();', to: '' },
        /says that it owns the guest, and does not run it/,
      ],
    ])('finds one that %s', async (_, change, reason) => {
      await expectFound({ beginOutgoing: await plantedSource(change) }, reason);
    });
  },
);

describe.runIf(oneSeed === undefined)(
  "the simulation of a bug planted in the destination's driver",
  SIMULATING,
  () => {
    it.each<[string, DriverChange, RegExp]>([
      [
        'does not wait to hear that the guest is here before it hears of anything else',
        { file: 'incoming.js', from: 'isAtGate(this.#state), ()', to: 'false, ()' },
        /hangs|never learned|refused after it was resumed|resumed after it was refused/,
      ],
    ])('finds one that %s', async (_, change, reason) => {
      await expectFound({ beginIncoming: await plantedDestination(change) }, reason);
    });
  },
);

const CANCEL = { kind: 'cancel', reason: 'planted' } as const;
