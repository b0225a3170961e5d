// The product's own safepoints, vCPU loop, guest memory, tracer and placement, at every step of every schedule with a few
// delays; and, so that this is known to see anything, the same with one line of them changed at a time.
import { describe, expect, it } from 'vitest';
import type { Weakness } from '../support/stepping/machine.js';
import type { TextChange } from '../support/stepping/modules.js';
import { exploreSchedules, type Scenario } from '../support/stepping/schedules.js';
import { withoutExchanges } from '../support/stepping/product.js';
import { harvestScenario, placementScenario } from '../support/stepping/scenarios.js';

const one = { vcpus: 1, pages: 1, stores: 2, harvests: 2, mode: 'dedicated' } as const;
const installing = { ...one, harvests: 1, installs: true, idles: 2 } as const;
const last = { ...one, harvests: 1, idles: 2 } as const;
const paced = { ...one, idles: 2 } as const;
const parked = { ...one, stores: 1, harvests: 1, parks: true } as const;
const two = { ...one, vcpus: 2, stores: 1 } as const;
// A vCPU that stores nothing, and a device that does.
const device = { ...one, stores: 0, deviceStores: 1 } as const;
const stopping = { ...two, harvests: 1, mode: 'all-vcpus', installs: true } as const;

type Changes = readonly TextChange[];
const scenarios: Record<string, (changes?: Changes) => Scenario> = {
  'harvests beside 1 vCPU': (changes = []) => harvestScenario({ ...one, changes }),
  'harvests beside 1 vCPU that idles': (changes = []) => harvestScenario({ ...paced, changes }),
  'one harvest beside 1 vCPU that idles': (changes = []) => harvestScenario({ ...last, changes }),
  'one harvest beside 1 vCPU that idles, and the bitmap ahead': (changes = []) =>
    harvestScenario({ ...last, announces: true, changes }),
  'harvests beside 1 vCPU that is parked meanwhile': (changes = []) =>
    harvestScenario({ ...parked, changes }),
  'harvests beside 2 vCPUs': (changes = []) => harvestScenario({ ...two, changes }),
  'traces installed beside 1 vCPU': (changes = []) => harvestScenario({ ...installing, changes }),
  '2 vCPUs that do the trace work': (changes = []) => harvestScenario({ ...stopping, changes }),
  'harvests beside a device': (changes = []) => harvestScenario({ ...device, changes }),
  'harvests beside a device that is parked meanwhile': (changes = []) =>
    harvestScenario({ ...device, harvests: 1, parks: true, changes }),
  'a park beside a device': (changes = []) => harvestScenario({ ...device, harvests: 0, changes }),
  'trace work beside a device': (changes = []) => harvestScenario({ ...device, mode: 'all-vcpus', changes }),
  'a page placed beside 1 vCPU': (changes = []) => placementScenario({ pages: 1, vcpus: 1, changes }),
  'a page placed twice beside 1 vCPU': (changes = []) =>
    placementScenario({ pages: 1, vcpus: 1, hasRival: true, changes }),
};
/** 1 for every day, 2 for the long tests. */
const DELAYS = Number(process.env['MICROSTUN_DELAYS'] ?? 1);
/** What shows a change that was planted. */
const DELAYS_MAX = 3;
const weaknesses: Weakness[] = ['none', 'late stores', 'old loads'];

/** Counted in states, not in time: a busy machine only takes longer. */
const EXPLORING = { timeout: 900_000 };

describe("the product's own code loses no store and no wake-up", EXPLORING, () => {
  // Two vCPUs with late stores make a hundred thousand states of one delay: for the long tests.
  const rows = Object.keys(scenarios)
    .flatMap((name) => weaknesses.map((weakness) => ({ name, weakness })))
    .filter(
      ({ name, weakness }) => DELAYS > 1 || name !== 'harvests beside 2 vCPUs' || weakness !== 'late stores',
    );
  it.each(rows)('$name, memory weak by $weakness', ({ name, weakness }) => {
    // With two delays the first has more than a million states, and the others take minutes together.
    const isHuge =
      (name === 'harvests beside 2 vCPUs' && weakness === 'late stores') || name.includes('device');
    const explored = exploreSchedules(() => scenarios[name]!(), {
      weakness,
      delaysMax: isHuge ? 1 : DELAYS,
    });
    console.log(`${name}, ${weakness}: ${explored.states} states, ${explored.runs} runs`);
    expect(explored.counterexample).toBeUndefined();
  });
});

interface Broken extends TextChange {
  readonly what: string;
  /** Where it shows. */
  readonly where: keyof typeof scenarios;
  readonly weakness?: Weakness;
}

const safepoints = 'shared/memory/safepoint-control.js';
const vcpuSafepoint = 'shared/memory/vcpu-safepoint.js';
const deviceSafepoint = 'shared/memory/device-safepoint.js';
const placement = 'shared/memory/placement.js';
const pageDoor = 'shared/memory/page-door.js';
const tracer = 'source/tracer/tracer.js';

const broken: Broken[] = [
  {
    what: 'takeLast forgets what the harvest before it took',
    file: tracer,
    from: 'readFired(this.#views, dirty);',
    to: '{ dirty.clear(); readFired(this.#views, dirty); }',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'takeLast does not wait for the park',
    file: tracer,
    from: 'this.#safepoints.waitUntilParked();',
    to: '',
    where: 'one harvest beside 1 vCPU that idles',
  },
  {
    what: 'takeLast forgets the late pages in what the copiers read',
    file: tracer,
    from: 'addPages(this.#views, late, this.dirty)',
    to: '0',
    where: 'one harvest beside 1 vCPU that idles, and the bitmap ahead',
  },
  {
    what: 'settleArrived has no grace period',
    file: placement,
    from: 'waitForGracePeriod();\n    const first',
    to: 'const first',
    where: 'a page placed beside 1 vCPU',
    weakness: 'old loads',
  },
  {
    what: 'the epoch is loaded before RUNNING is published',
    file: vcpuSafepoint,
    from: 'Atomics.store(this.#words, this.#base + STATE, VcpuState.RUNNING);\n        return this.pass();',
    to: 'const command = this.pass(); Atomics.store(this.#words, this.#base + STATE, VcpuState.RUNNING); return command;',
    where: 'harvests beside 1 vCPU',
    weakness: 'old loads',
  },
  {
    what: 'a change of state is not counted',
    file: vcpuSafepoint,
    from: 'Atomics.notify(this.#words, this.#base + STATE);\n        this.#noteChange();',
    to: 'Atomics.notify(this.#words, this.#base + STATE);',
    where: 'harvests beside 1 vCPU that is parked meanwhile',
  },
  {
    what: 'an acknowledgement is not counted',
    file: vcpuSafepoint,
    from: 'Atomics.store(this.#words, this.#base + ACKNOWLEDGED, epoch);\n            this.#noteChange();',
    to: 'Atomics.store(this.#words, this.#base + ACKNOWLEDGED, epoch);',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'a state is not notified',
    file: vcpuSafepoint,
    from: 'Atomics.notify(this.#words, this.#base + STATE);\n        this.#noteChange();',
    to: 'this.#noteChange();',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'the changes are loaded after what they cover',
    file: safepoints,
    from: 'this.#waits.sleep(base + CHANGES, changes, waitedMs, vcpu)',
    to: 'this.#waits.sleep(base + CHANGES, Atomics.load(this.#words, base + CHANGES), waitedMs, vcpu)',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'a grace period does not wait for devices',
    file: safepoints,
    from: 'Atomics.add(this.#words, EPOCH, 1) + 1) | 0;\n        for (let vcpu = 0; vcpu < this.#participants; vcpu++) {',
    to: 'Atomics.add(this.#words, EPOCH, 1) + 1) | 0;\n        for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {',
    where: 'harvests beside a device',
  },
  {
    what: 'a park does not wait for devices',
    file: safepoints,
    from: 'waitUntilParked() {\n        for (let vcpu = 0; vcpu < this.#participants; vcpu++) {',
    to: 'waitUntilParked() {\n        for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {',
    where: 'a park beside a device',
  },
  {
    what: 'devices look at the command before they say that they run, and not after',
    file: deviceSafepoint,
    from: 'if (this.#mayEnter())\n            return true;',
    to: 'return true;',
    where: 'a park beside a device',
  },
  {
    what: 'devices are not held for trace work',
    file: safepoints,
    from: 'this.#holdDevices();',
    to: '',
    where: 'trace work beside a device',
  },
  {
    what: 'trace work does not wait for devices that are in a slice',
    file: safepoints,
    from: 'this.#waitWhileIn(one, VcpuState.RUNNING);',
    to: '',
    where: 'trace work beside a device',
  },
  {
    what: 'a grace period does not bump the epoch',
    file: safepoints,
    from: '(Atomics.add(this.#words, EPOCH, 1) + 1) | 0',
    to: 'Atomics.load(this.#words, EPOCH)',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'the doorbell is loaded after the page was looked at',
    file: vcpuSafepoint,
    from: 'Atomics.wait(this.#words, this.#base + FAULT_DOORBELL, doorbell);',
    to: 'Atomics.wait(this.#words, this.#base + FAULT_DOORBELL, Atomics.load(this.#words, this.#base + FAULT_DOORBELL));',
    where: 'a page placed beside 1 vCPU',
  },
  {
    what: 'the doorbell is notified and not rung',
    file: safepoints,
    from: 'Atomics.add(this.#words, baseOf(vcpu) + FAULT_DOORBELL, 1);',
    to: '',
    where: 'a page placed beside 1 vCPU',
  },
  {
    what: 'the page is not looked at again once the fault is published',
    file: vcpuSafepoint,
    from: 'if (!isHere()) {',
    to: '{',
    where: 'a page placed beside 1 vCPU',
  },
  {
    what: 'the bytes come after the state that shows them',
    file: placement,
    from: 'const target = pageBytes',
    to: 'Atomics.store(pageTable, page, PageState.ARRIVED); const target = pageBytes',
    where: 'a page placed beside 1 vCPU',
  },
  {
    what: 'a page is placed without a claim',
    file: placement,
    from: 'if (Atomics.compareExchange(pageTable, page, PageState.ABSENT, PageState.PLACING) !== PageState.ABSENT)',
    to: 'if (pageTable[page] === PageState.PRESENT)',
    where: 'a page placed twice beside 1 vCPU',
  },
  {
    what: 'a fire does not mark its region',
    file: pageDoor,
    from: 'summary[page >>> REGION_PAGE_SHIFT] = 1;',
    to: '',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'a taken page is not traced again',
    ...withoutExchanges,
    where: 'harvests beside 1 vCPU that idles',
  },
  {
    what: 'a harvest has no first grace period',
    file: tracer,
    from: 'this.#safepoints.waitForGracePeriod();\n        const { dirty } = this;\n        dirty.clear();',
    to: 'const { dirty } = this;\n        dirty.clear();',
    where: 'harvests beside 1 vCPU',
    weakness: 'late stores',
  },
  {
    what: 'a harvest has no second grace period',
    file: tracer,
    from: 'this.#safepoints.waitForGracePeriod();\n        return { dirtyPages: dirty.count()',
    to: 'return { dirtyPages: dirty.count()',
    where: 'harvests beside 1 vCPU',
  },
  {
    what: 'traces are installed without a grace period after them',
    file: tracer,
    from: 'this.#safepoints.waitForGracePeriod();\n        return { dirtyPages: this.#callAllDirty()',
    to: 'return { dirtyPages: this.#callAllDirty()',
    where: 'traces installed beside 1 vCPU',
  },
  {
    what: 'traces are installed without a grace period before them',
    file: tracer,
    from: 'this.#safepoints.waitForGracePeriod();\n        // A region that gets',
    to: '// A region that gets',
    where: 'traces installed beside 1 vCPU',
    weakness: 'late stores',
  },
  {
    what: 'trace work is done and the command stays',
    file: vcpuSafepoint,
    from: 'Atomics.compareExchange(this.#words, COMMAND, Command.TRACE, Command.RUN);',
    to: '',
    where: '2 vCPUs that do the trace work',
  },
];

describe('with one line of the product changed, a schedule is found that shows it', EXPLORING, () => {
  it.each(broken)('$what', ({ where, weakness = 'none', ...change }) => {
    const start = (): Scenario => scenarios[where]!([change]);
    for (let delaysMax = 1; delaysMax <= DELAYS_MAX; delaysMax++) {
      const { states, counterexample } = exploreSchedules(start, { weakness, delaysMax });
      console.log(`${delaysMax} delays, ${states} states: ${counterexample?.split('\n')[0] ?? 'nothing'}`);
      if (counterexample !== undefined) return;
    }
    expect.fail('no schedule shows it');
  });

  it('and a schedule is told step by step', () => {
    const start = (): Scenario => scenarios['harvests beside 1 vCPU']!([broken[0]!]);
    const { counterexample } = exploreSchedules(start, { weakness: 'none', delaysMax: 1 });
    expect(counterexample).toMatch(/^a store to page 0 is lost, after \d+ steps:\n/);
    expect(counterexample).toMatch(/tracer: Atomics.exchange summary\[2048\]/);
  });
});
