// The product's own code with a guest in segments, at every step of every schedule with a few delays: regions get their
// slots beside whatever the tracer does; and, so that this is known to see anything, the same with one line changed.
import { describe, expect, it } from 'vitest';
import type { Weakness } from '../support/stepping/machine.js';
import type { TextChange } from '../support/stepping/modules.js';
import { exploreSchedules, type Scenario } from '../support/stepping/schedules.js';
import { touchScenario, type TouchScenario } from '../support/stepping/segmented-scenarios.js';

const scenarios: Record<string, TouchScenario> = {
  'a region touched beside harvests': {
    touches: [
      [
        [0, 0],
        [0, 0],
      ],
    ],
    harvests: 2,
    idles: 2,
  },
  'a region touched while traces are installed': {
    touches: [
      [
        [0, 0],
        [0, 0],
      ],
    ],
    harvests: 0,
    installs: true,
    idles: 2,
  },
  'a region touched when the bitmap goes ahead': {
    touches: [
      [
        [0, 0],
        [1, 0],
      ],
    ],
    harvests: 1,
    announces: 'known',
    idles: 1,
  },
  'a region touched in a post-copy': {
    touches: [
      [
        [0, 0],
        [1, 0],
      ],
    ],
    harvests: 0,
    announces: 'everything',
  },
  'a region that 2 vCPUs touch first': { touches: [[[0, 0]], [[0, 1]]], harvests: 0 },
  'a region that 2 vCPUs touch first, and what the slower touches next': {
    touches: [
      [
        [0, 0],
        [1, 0],
      ],
      [[0, 1]],
    ],
    harvests: 0,
  },
  'a region that 2 vCPUs touch first beside a harvest': { touches: [[[0, 0]], [[0, 1]]], harvests: 1 },
  'a region that 2 vCPUs touch first while traces are installed': {
    touches: [[[0, 0]], [[0, 1]]],
    harvests: 0,
    installs: true,
  },
};

/** 1 for every day, 2 for the long tests. */
const DELAYS = Number(process.env['MICROSTUN_DELAYS'] ?? 1);
const DELAYS_MAX = 3;
const weaknesses: Weakness[] = ['none', 'late stores', 'old loads'];

/** Counted in states, not in time: a busy machine only takes longer. */
const EXPLORING = { timeout: 900_000 };

function start(where: string, changes: readonly TextChange[] = []): () => Scenario {
  return () => touchScenario({ ...scenarios[where]!, changes });
}

describe('a region that gets its slot loses no store', EXPLORING, () => {
  const rows = Object.keys(scenarios).flatMap((name) => weaknesses.map((weakness) => ({ name, weakness })));
  it.each(rows)('$name, memory weak by $weakness', ({ name, weakness }) => {
    const explored = exploreSchedules(start(name), { weakness, delaysMax: DELAYS });
    console.log(`${name}, ${weakness}: ${explored.states} states, ${explored.runs} runs`);
    expect(explored.counterexample).toBeUndefined();
  });
});

const regions = 'shared/memory/regions.js';
const tracer = 'source/tracer/tracer.js';

const broken: readonly (TextChange & {
  readonly what: string;
  readonly where: string;
  readonly weakness?: Weakness;
})[] = [
  {
    what: 'a region that got its slot is not marked',
    file: regions,
    from: 'Atomics.store(summary, slot, 1);',
    to: '',
    where: 'a region touched beside harvests',
  },
  {
    what: 'whose a slot is, is said before it is',
    file: regions,
    from: 'const first = Atomics.compareExchange(directory',
    to: 'Atomics.store(owners, slot, region + 1); const first = Atomics.compareExchange(directory',
    where: 'a region that 2 vCPUs touch first',
  },
  {
    what: "a slot is marked before it is a region's",
    file: regions,
    from: 'const first = Atomics.compareExchange(directory',
    to: 'Atomics.store(summary, slot, 1); const first = Atomics.compareExchange(directory',
    where: 'a region that 2 vCPUs touch first beside a harvest',
  },
  {
    what: 'a slot is marked before it is said whose it is',
    file: regions,
    from: 'Atomics.store(owners, slot, region + 1);\n        Atomics.store(summary, slot, 1);',
    to: 'Atomics.store(summary, slot, 1); Atomics.store(owners, slot, region + 1);',
    where: 'a region touched in a post-copy',
  },
  {
    what: 'the slower of two stores to the slot that it took',
    file: regions,
    from: 'return first;',
    to: 'return slot;',
    where: 'a region that 2 vCPUs touch first',
  },
  {
    what: 'a region is given a slot without a claim',
    file: regions,
    from: 'Atomics.compareExchange(directory, region, NO_SLOT, slot)',
    to: '(Atomics.load(directory, region) || (Atomics.store(directory, region, slot), NO_SLOT))',
    where: 'a region that 2 vCPUs touch first',
  },
  {
    what: 'two vCPUs take the same slot',
    file: regions,
    from: 'Atomics.add(this.#regions.words.used, 0, 1)',
    to: 'Atomics.load(this.#regions.words.used, 0); Atomics.store(this.#regions.words.used, 0, slot + 1)',
    where: 'a region that 2 vCPUs touch first, and what the slower touches next',
  },
  {
    what: 'a post-copy takes the marks after it has looked what there is',
    file: tracer,
    from: 'this.#takeSummary();\n            this.#callAllDirty();',
    to: 'this.#callAllDirty(); this.#takeSummary();',
    where: 'a region touched in a post-copy',
  },
  {
    what: 'takeLast does not wait for the park',
    file: tracer,
    from: 'this.#safepoints.waitUntilParked();',
    to: '',
    where: 'a region touched in a post-copy',
  },
];

describe('with one line of it changed, a schedule is found that shows it', EXPLORING, () => {
  it.each(broken)('$what', ({ where, weakness = 'none', ...change }) => {
    for (let delaysMax = 1; delaysMax <= DELAYS_MAX; delaysMax++) {
      const { states, counterexample } = exploreSchedules(start(where, [change]), { weakness, delaysMax });
      console.log(`${delaysMax} delays, ${states} states: ${counterexample?.split('\n')[0] ?? 'nothing'}`);
      if (counterexample !== undefined) return;
    }
    expect.fail('no schedule shows it');
  });
});
