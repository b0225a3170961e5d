// The product's own lock, condition and ring queue, used by several vCPUs at every step of every schedule with a few delays;
// and, so that this is known to see anything, the same with one line of them changed at a time.
import { describe, expect, it } from 'vitest';
import type { Weakness } from '../support/stepping/machine.js';
import type { TextChange } from '../support/stepping/modules.js';
import { exploreSchedules, type Scenario } from '../support/stepping/schedules.js';
import { conditionScenario, lockScenario, queueScenario } from '../support/stepping/state.js';

type Changes = readonly TextChange[];
const scenarios: Record<string, (changes?: Changes) => Scenario> = {
  '2 vCPUs that queue for a lock': (changes = []) =>
    lockScenario(
      [
        ['lock', 'lock'],
        ['lock', 'lock'],
      ],
      changes,
    ),
  '3 vCPUs, one of which does not queue': (changes = []) =>
    lockScenario([['lock'], ['lock'], ['tryLock']], changes),
  '1 vCPU that waits for a signal': (changes = []) => conditionScenario(1, changes),
  '2 vCPUs that wait for a signal each': (changes = []) => conditionScenario(2, changes),
  'a ring queue with room for one or two': (changes = []) => queueScenario(4, 5, changes),
  'a ring queue with room for all': (changes = []) => queueScenario(2, 6, changes),
};
const weaknesses: Weakness[] = ['none', 'late stores', 'old loads'];
const DELAYS = 2;
/** What shows a change that was planted. */
const DELAYS_MAX = 3;

/** Counted in states, not in time: a busy machine only takes longer. */
const EXPLORING = { timeout: 300_000 };

describe('structures in guest memory are as safe as they say', EXPLORING, () => {
  const rows = Object.keys(scenarios).flatMap((name) => weaknesses.map((weakness) => ({ name, weakness })));
  it.each(rows)('$name, memory weak by $weakness', ({ name, weakness }) => {
    const explored = exploreSchedules(() => scenarios[name]!(), { weakness, delaysMax: DELAYS });
    console.log(`${name}, ${weakness}: ${explored.states} states, ${explored.runs} runs`);
    expect(explored.counterexample).toBeUndefined();
  });
});

describe('a change of them is seen', EXPLORING, () => {
  const changes: { readonly what: string; readonly scenario: string; readonly change: TextChange }[] = [
    {
      what: 'a lock that is let go with a plain store',
      scenario: '2 vCPUs that queue for a lock',
      change: {
        file: 'shared/guest/state/mutex.js',
        from: 'memory.atomicStore32(this.gpa, next < 0',
        to: 'memory.store32(this.gpa, next < 0',
      },
    },
    {
      what: 'a lock whose new owner stays in the queue',
      scenario: '2 vCPUs that queue for a lock',
      change: { file: 'shared/guest/state/mutex.js', from: 'this.#waiters.remove(id);', to: '' },
    },
    {
      what: 'a lock that is taken by a load and a store',
      scenario: '2 vCPUs that queue for a lock',
      change: {
        file: 'shared/guest/state/mutex.js',
        from: 'const owner = memory.atomicCompareExchange32(this.gpa, 0, id + 1);',
        to: 'const owner = memory.atomicLoad32(this.gpa); if (owner === 0) memory.atomicStore32(this.gpa, id + 1);',
      },
    },
    {
      what: 'a vCPU that waits only after it has let the lock go',
      scenario: '1 vCPU that waits for a signal',
      change: {
        file: 'shared/guest/state/condition.js',
        from: 'this.#waiters.add(vcpu.id);\n        mutex.unlock(vcpu);',
        to: 'mutex.unlock(vcpu);\n        this.#waiters.add(vcpu.id);',
      },
    },
    {
      what: 'a set whose words are changed by a load and a store',
      scenario: '2 vCPUs that wait for a signal each',
      change: {
        file: 'shared/guest/state/vcpu-set.js',
        from: 'const found = memory.atomicCompareExchange32(gpa, word, word | (1 << vcpu));',
        to: 'const found = word; memory.atomicStore32(gpa, word | (1 << vcpu));',
      },
    },
    {
      what: 'a ring queue that shows a record with a plain store',
      scenario: 'a ring queue with room for all',
      change: {
        file: 'shared/guest/state/ring-queue.js',
        from: 'memory.atomicStore32(this.gpa + TAIL_AT,',
        to: 'memory.store32(this.gpa + TAIL_AT,',
      },
    },
    {
      what: 'a ring queue that may be filled to its last unit',
      scenario: 'a ring queue with room for one or two',
      change: {
        file: 'shared/guest/state/ring-queue.js',
        from: '(head - tail - 1 + all) % all',
        to: '(head - tail - 1 + all) % all + 1',
      },
    },
  ];
  it.each(changes)('$what', ({ scenario, change }) => {
    expect(isSeen(scenario, change)).toBe(true);
  });

  // With few delays first, which show most.
  function isSeen(scenario: string, change: TextChange): boolean {
    for (let delaysMax = 0; delaysMax <= DELAYS_MAX; delaysMax++) {
      for (const weakness of weaknesses) {
        const explored = exploreSchedules(() => scenarios[scenario]!([change]), { weakness, delaysMax });
        if (explored.counterexample !== undefined) return true;
      }
    }
    return false;
  }
});
