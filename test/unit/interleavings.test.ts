// Every interleaving of small models of the protocols between tracer, vCPUs, machine and receivers; and, so that the
// models are known to see anything, the same with one ordering broken at a time.
import { describe, expect, it } from 'vitest';
import { explore, formatCounterexample, WordLayout, Thread, type Model } from '../support/explorer.js';
import { handOverModel } from '../support/models/hand-over-model.js';
import { harvestModel, type HarvestModelOptions } from '../support/models/harvest-model.js';
import { pageFaultModel, type PageFaultModelOptions } from '../support/models/page-fault-model.js';
import { parkingModel, type ParkingModelOptions } from '../support/models/parking-model.js';

function expectHolds(name: string, model: Model): void {
  const { states, counterexample } = explore(model);
  console.log(`${name}: ${states} states explored`);
  expect(counterexample === undefined ? undefined : formatCounterexample(counterexample)).toBeUndefined();
}

function expectBroken(model: Model, reason: RegExp): void {
  const { states, counterexample } = explore(model);
  expect(counterexample, `none in ${states} states`).toBeDefined();
  expect(counterexample!.reason).toMatch(reason);
  const printed = formatCounterexample(counterexample!);
  for (const label of counterexample!.trace) expect(printed).toContain(label);
  console.log(`${counterexample!.trace.length} steps, ${states} states: ${counterexample!.reason}`);
}

describe('the explorer', () => {
  const counter = (steps: number): Model => {
    const layout = new WordLayout();
    const count = layout.word('count');
    const threads = ['a', 'b'].map((name) => {
      const local = layout.word(`${name}.local`);
      return new Thread(layout, name, [
        { at: 'load', label: 'loads', run: (words) => ((words[local] = words[count]!), 'store') },
        { at: 'store', label: 'stores', run: (words) => ((words[count] = words[local]! + 1), 'end') },
      ]);
    });
    return {
      layout,
      moves: threads.flatMap((thread) => thread.moves),
      isFinal: (words) => threads.every((thread) => thread.isAt(words, 'end')),
      violation: (words) =>
        threads.every((thread) => thread.isAt(words, 'end')) && words[count]! < steps ? 'lost' : undefined,
    };
  };

  it('finds the lost update of two threads that count without a lock, by a shortest trace', () => {
    const { counterexample } = explore(counter(2));
    expect(counterexample?.trace).toEqual(['a loads', 'b loads', 'a stores', 'b stores']);
    expect(formatCounterexample(counterexample!)).toContain('lost, after 4 steps');
  });

  it('visits each state once and finds nothing where nothing is wrong', () => {
    const { states, counterexample } = explore(counter(1));
    expect(counterexample).toBeUndefined();
    expect(states).toBe(13);
  });

  it('finds a state from which the end cannot be reached, though moves are left', () => {
    const layout = new WordLayout();
    const thread = new Thread(layout, 'a', [
      { at: 'begin', label: 'turns right', run: () => 'end' },
      { at: 'begin', label: 'turns left', run: () => 'here' },
      { at: 'here', label: 'walks on', run: () => 'there' },
      { at: 'there', label: 'walks back', run: () => 'here' },
    ]);
    const { counterexample } = explore({
      layout,
      moves: thread.moves,
      isFinal: (words) => thread.isAt(words, 'end'),
      violation: () => undefined,
    });
    expect(counterexample?.trace).toEqual(['a turns left']);
  });
});

describe('a harvest re-sends every store, in every interleaving', () => {
  const sizes: [name: string, options: HarvestModelOptions][] = [
    ['2 vCPUs, 1 page, 2 harvests', { vcpus: 2, pages: 1, stores: 2, harvests: 2, isWeak: false }],
    ['2 vCPUs, 2 pages, 1 harvest', { vcpus: 2, pages: 2, stores: 2, harvests: 1, isWeak: false }],
    ['2 vCPUs, 1 page, 2 harvests, weak', { vcpus: 2, pages: 1, stores: 2, harvests: 2, isWeak: true }],
    ['2 vCPUs, 2 pages, 1 harvest, weak', { vcpus: 2, pages: 2, stores: 1, harvests: 1, isWeak: true }],
    ['1 vCPU, 2 pages, 2 harvests, weak', { vcpus: 1, pages: 2, stores: 3, harvests: 2, isWeak: true }],
  ];
  it.each(sizes)('%s', (name, options) => {
    expectHolds(name, harvestModel(options));
  });

  const broken = { vcpus: 2, pages: 1, stores: 2, harvests: 1 };
  it.each([
    ['no second grace period', false],
    ['take after read', false],
    ['no first grace period', true],
    ['no second grace period', true],
    ['take after read', true],
    ['summary cleared after the take', true],
  ] as const)('loses one with %s (weak: %s)', (mutation, isWeak) => {
    expectBroken(harvestModel({ ...broken, isWeak, mutation }), /never re-sent/);
  });

  it('needs its first grace period on weakly ordered processors only', () => {
    const options = { ...broken, pages: 2, isWeak: false, mutation: 'no first grace period' } as const;
    expectHolds('no first grace period, strongly ordered', harvestModel(options));
  });
});

describe('installing traces', () => {
  const options = { vcpus: 2, pages: 1, stores: 1, harvests: 1, installs: true } as const;
  const unordered = 'traces installed without a grace period after the summary is cleared';

  it('marks every later store when a grace period lies between clearing the summary and tracing', () => {
    expectHolds('install, weak', harvestModel({ ...options, isWeak: true }));
  });

  it('without that grace period loses a mark on weakly ordered processors', () => {
    const model = harvestModel({ ...options, stores: 2, isWeak: true, mutation: unordered });
    expectBroken(model, /never re-sent/);
  });

  it('does not need that grace period on strongly ordered processors', () => {
    const model = harvestModel({ ...options, stores: 2, isWeak: false, mutation: unordered });
    expectHolds('install, strongly ordered', model);
  });
});

describe('parking and leaving a park', () => {
  const sizes: [name: string, options: ParkingModelOptions][] = [
    ['1 vCPU, 2 grace periods, 2 parks', { vcpus: 1, gracePeriods: 2, parks: 2 }],
    ['2 vCPUs, 1 grace period, 1 park', { vcpus: 2, gracePeriods: 1, parks: 1 }],
    ['2 vCPUs that run for ever, 2 grace periods', { vcpus: 2, gracePeriods: 2, parks: 0 }],
  ];
  it.each(sizes)('slips past no grace period and no PARK, and every wait ends: %s', (name, options) => {
    expectHolds(name, parkingModel(options));
  });

  it.each([
    ['epoch loaded before RUNNING is published', 2, /slipped past a grace period/],
    ['command loaded before RUNNING is published', 2, /in a slice of a parked guest/],
    ['changes loaded after the state', 0, /never end/],
    ['no notice of the acknowledgement', 0, /never end/],
    ['no notice of the park', 1, /never end/],
  ] as const)('is broken by: %s', (mutation, parks, reason) => {
    expectBroken(parkingModel({ vcpus: 1, gracePeriods: 2, parks, mutation }), reason);
  });
});

describe('a vCPU that waits for a page', () => {
  const sizes: [name: string, options: PageFaultModelOptions][] = [
    ['1 vCPU, 2 pages', { vcpus: 1, pages: 2 }],
    ['2 vCPUs, 2 pages', { vcpus: 2, pages: 2 }],
  ];
  it.each(sizes)('is always woken: %s', (name, options) => {
    expectHolds(name, pageFaultModel(options));
  });

  it.each([
    'page checked before the fault is published',
    'doorbell loaded after the page is checked',
    'waiters sought before the page is placed',
    'doorbell not rung, only notified',
  ] as const)('sleeps for ever with: %s', (mutation) => {
    expectBroken(pageFaultModel({ vcpus: 1, pages: 1, mutation }), /never end/);
  });
});

describe('a guest that is handed over while regions come', () => {
  it.each([1, 2])('is never overwritten once it runs, by %d receivers', (receivers) => {
    expectHolds(`${receivers} receivers`, handOverModel(receivers));
  });

  it.each([
    'gate looked at before counting',
    'count looked at before shutting',
    'not looked at again at placement',
  ] as const)('is overwritten with: %s', (mutation) => {
    expectBroken(handOverModel(1, mutation), /running guest is overwritten/);
  });
});
