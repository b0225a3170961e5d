// What a guest is asked and told by the product's own code, at every step of every schedule with a few delays; and, so that
// this is known to see anything, the same with one line changed at a time.
import { describe, expect, it } from 'vitest';
import type { GuestProgram, Vcpu } from '../../src/shared/guest/guest-program.js';
import { Command } from '../../src/shared/memory/safepoint-words.js';
import { Violation } from '../support/stepping/machine.js';
import type { TextChange } from '../support/stepping/modules.js';
import { SteppingProduct } from '../support/stepping/product.js';
import { exploreSchedules, type Scenario } from '../support/stepping/schedules.js';
import type { SilentSteps, Steps } from '../support/stepping/steps.js';

const DELAYS = Number(process.env['MICROSTUN_DELAYS'] ?? 1);
const DELAYS_MAX = 3;
const EXPLORING = { timeout: 300_000 };

/** A slice that halts until something happens: what the product's vCPU offers is stepping code, too. */
function* halting(vcpu: Vcpu): SilentSteps {
  const stepping = vcpu as unknown as { readonly haltUntil: (guestUs: number) => Steps };
  yield* stepping.haltUntil(Infinity);
}

/**
 * A guest that halts until something happens is asked, is told that it stays, and is asked in the next migration; then it is
 * parked and ended. Each answer is awaited, so one that never comes is a schedule that stands still.
 */
function askScenario(changes: readonly TextChange[]): Scenario {
  const product = new SteppingProduct(1, 1, changes);
  const answers: number[] = [];
  let calls = '';
  const program: GuestProgram = {
    runSlice: halting,
    beforeMigration(_, { leftMs }) {
      calls += `asked ${leftMs} `;
      return undefined;
    },
    afterMigration() {
      calls += 'told ';
    },
  };
  const answered = (question: number): void => {
    answers.push(question);
  };
  function* control(): SilentSteps {
    yield* product.control.command(Command.RUN);
    yield* product.notice('putQuestion', 1, { waitedMs: 0, leftMs: 11 });
    yield { kind: 'until', isSo: () => answers.includes(1) };
    yield* product.notice('takeQuestionBack');
    yield* product.notice('putTidings', { moved: false, stoppedAtUs: undefined });
    yield* product.notice('ringGuest');
    yield* product.notice('putQuestion', 2, { waitedMs: 0, leftMs: 22 });
    yield { kind: 'until', isSo: () => answers.includes(2) };
    yield* product.control.command(Command.PARK);
    yield* product.control.waitUntilParked();
    yield* product.control.command(Command.EXIT);
  }
  return {
    threads: new Map([
      ['machine', control()],
      ['vCPU 0', product.vcpuOf(0, program, answered)],
    ]),
    memory: product.memory,
    verdict: () => {
      if (answers.join() !== '1,2') return `the answers were ${answers.join()}`;
      return calls === 'asked 11 told asked 22 ' ? undefined : `the calls were: ${calls}`;
    },
  };
}

/** A question in place of another that nobody has answered yet. */
function replaceScenario(changes: readonly TextChange[]): Scenario {
  const product = new SteppingProduct(1, 1, changes);
  const answers: number[] = [];
  const program: GuestProgram = {
    runSlice: halting,
    beforeMigration(_, { waitedMs, leftMs }) {
      // What goes with a question is of that question.
      if (waitedMs + leftMs !== 100) throw new Violation(`asked with ${waitedMs} and ${leftMs}`);
      return undefined;
    },
  };
  function* control(): SilentSteps {
    yield* product.control.command(Command.RUN);
    yield* product.notice('putQuestion', 1, { waitedMs: 10, leftMs: 90 });
    yield* product.notice('putQuestion', 2, { waitedMs: 20, leftMs: 80 });
    yield { kind: 'until', isSo: () => answers.includes(2) };
    yield* product.control.command(Command.EXIT);
  }
  return {
    threads: new Map([
      ['machine', control()],
      [
        'vCPU 0',
        product.vcpuOf(0, program, (question) => {
          answers.push(question);
        }),
      ],
    ]),
    memory: product.memory,
    verdict: () => (['1,2', '2'].includes(answers.join()) ? undefined : `the answers were ${answers.join()}`),
  };
}

const scenarios = {
  'a guest that is asked, told and asked': askScenario,
  'a question in place of another': replaceScenario,
} as const;

describe('no question and no answer is lost, late or mistaken', EXPLORING, () => {
  it.each(Object.entries(scenarios))('%s', (name, scenario) => {
    const explored = exploreSchedules(() => scenario([]), { weakness: 'none', delaysMax: DELAYS + 1 });
    console.log(`${name}: ${explored.states} states, ${explored.runs} runs`);
    expect(explored.counterexample).toBeUndefined();
  });
});

const notices = 'shared/guest/notices.js';
const broken: readonly (TextChange & { readonly what: string; readonly where: keyof typeof scenarios })[] = [
  {
    what: 'nobody rings for a question',
    file: notices,
    from: 'Atomics.store(words, ASKED, question);\n    ring(words, NEWS);',
    to: 'Atomics.store(words, ASKED, question);',
    where: 'a guest that is asked, told and asked',
  },
  {
    what: 'it rings before the question is put',
    file: notices,
    from: 'Atomics.store(words, ASKED, question);\n    ring(words, NEWS);',
    to: 'ring(words, NEWS);\n    Atomics.store(words, ASKED, question);',
    where: 'a guest that is asked, told and asked',
  },
  {
    what: 'vCPU 0 sleeps on the news that there are after its look',
    file: 'shared/guest/vcpu.js',
    from: 'safepoint.haltForNews(haltUs / 1000, news)',
    to: 'safepoint.haltForNews(haltUs / 1000, safepoint.news)',
    where: 'a guest that is asked, told and asked',
  },
  {
    what: 'a command is no news to who sleeps on them',
    file: 'shared/memory/safepoint-words.js',
    from: ' && Atomics.load(words, SAY) === 0',
    to: '',
    where: 'a guest that is asked, told and asked',
  },
  {
    what: 'vCPU 0 looks at what it was told before it looks for a question',
    file: notices,
    from: 'const asked = Atomics.load(this.#words, ASKED);\n        const tidings = this.#takeTidings();',
    to: 'const tidings = this.#takeTidings();\n        const asked = Atomics.load(this.#words, ASKED);',
    where: 'a guest that is asked, told and asked',
  },
  {
    what: 'what goes with a question changes while it stands',
    file: notices,
    from: 'Atomics.store(words, ASKED, 0);\n    Atomics.store(words, ASKED_WAITED_MS',
    to: 'Atomics.store(words, ASKED_WAITED_MS',
    where: 'a question in place of another',
  },
  {
    what: 'vCPU 0 does not look whether the question still stands',
    file: notices,
    from: 'if (Atomics.load(this.#words, ASKED) !== number)\n            return undefined;',
    to: '',
    where: 'a question in place of another',
  },
];

describe('a line that is changed is found', EXPLORING, () => {
  it.each(broken)('$what', ({ where, ...change }) => {
    for (let delaysMax = 0; delaysMax <= DELAYS_MAX; delaysMax++) {
      const { counterexample } = exploreSchedules(() => scenarios[where]([change]), {
        weakness: 'none',
        delaysMax,
      });
      if (counterexample !== undefined) return;
    }
    throw new Error('no schedule shows it');
  });
});
