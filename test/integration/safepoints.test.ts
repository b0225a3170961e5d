// Safepoints, grace periods and parking between real threads: behind barriers, and hammered.
import { afterEach, describe, expect, it } from 'vitest';
import { allocateSafepointWords, Command, VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { FixtureWorkers, sharedWords, until } from '../support/fixture-threads.js';
import { EPOCH_WORD, Gate, GATE_WORDS, HammerGate } from '../support/safepoint-gate.js';

const workers = new FixtureWorkers();

afterEach(() => workers.terminate());

function setUp(vcpus: number) {
  const safepointWords = allocateSafepointWords(vcpus);
  const gate = sharedWords(GATE_WORDS);
  return {
    gate,
    control: new SafepointControl(safepointWords),
    epochWords: new Int32Array(safepointWords),
    start: (role: string, vcpu?: number) =>
      workers.start('safepoint-worker.mjs', { role, safepointWords, vcpu, gate, words: Gate }),
    hammer: (role: string, more: object) =>
      workers.start('safepoint-hammer-worker.mjs', {
        role,
        safepointWords,
        gate,
        words: HammerGate,
        ...more,
      }),
  };
}

const ids = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

describe('a grace period', () => {
  const cases = [2, 4].flatMap((vcpus) => ids(vcpus).map((last) => ({ vcpus, last })));

  it.each(cases)('waits for every one of $vcpus vCPUs in a slice, vCPU $last the last', async (one) => {
    const { vcpus, last } = one;
    const { gate, control, epochWords, start } = setUp(vcpus);
    const open = (vcpu: number): void => {
      Atomics.store(gate, Gate.OPEN_FROM + vcpu, 1);
      Atomics.notify(gate, Gate.OPEN_FROM + vcpu);
    };
    control.command(Command.RUN);
    for (const vcpu of ids(vcpus)) start('vcpu at a barrier', vcpu);
    await until(() => Atomics.load(gate, Gate.ENTERED) === vcpus);

    const gracePeriod = start('grace period');
    await until(() => Atomics.load(epochWords, EPOCH_WORD) === 1);
    const others = ids(vcpus).filter((vcpu) => vcpu !== last);
    others.forEach(open);
    // Each has entered another slice, so each has passed a safepoint.
    await until(() => others.every((vcpu) => Atomics.load(gate, Gate.PASSED_FROM + vcpu) === 1));
    await until(() => Atomics.load(gate, Gate.ENTERED) >= 2 * vcpus - 1);
    expect(gracePeriod.hasAnswered).toBe(false);

    open(last);
    const gateAtTheEnd = (await gracePeriod.answer()) as number[];
    expect(gateAtTheEnd.slice(Gate.PASSED_FROM, Gate.PASSED_FROM + vcpus)).toEqual(ids(vcpus).map(() => 1));
    control.command(Command.EXIT);
  });

  it.each([
    ['parked', VcpuState.PARKED, Command.PARK],
    ['halted', VcpuState.HALTED, Command.RUN],
    ['faulting', VcpuState.FAULTING, Command.RUN],
    ['exited', VcpuState.EXITED, Command.RUN],
  ] as const)('does not wait for vCPUs that are %s', async (name, state, command) => {
    const { control, start } = setUp(2);
    control.command(command);
    for (const vcpu of [0, 1]) start(`${name} vcpu`, vcpu);
    await until(() => [0, 1].every((vcpu) => control.state(vcpu) === state));
    await start('grace period').answer();
    expect([control.state(0), control.state(1)]).toEqual([state, state]);
  });

  it('waits for the vCPU in a slice and for none that rests beside it', async () => {
    const { gate, control, epochWords, start } = setUp(4);
    control.command(Command.RUN);
    start('halted vcpu', 0);
    start('vcpu at a barrier', 1);
    start('faulting vcpu', 2);
    start('exited vcpu', 3);
    const expected = [VcpuState.HALTED, VcpuState.RUNNING, VcpuState.FAULTING, VcpuState.EXITED];
    await until(() => expected.every((state, vcpu) => control.state(vcpu) === state));
    await until(() => Atomics.load(gate, Gate.ENTERED) === 1);
    const gracePeriod = start('grace period');
    await until(() => Atomics.load(epochWords, EPOCH_WORD) === 1);
    Atomics.store(gate, Gate.OPEN_FROM + 1, 1);
    Atomics.notify(gate, Gate.OPEN_FROM + 1);
    const gateAtTheEnd = (await gracePeriod.answer()) as number[];
    expect(gateAtTheEnd[Gate.PASSED_FROM + 1]).toBe(1);
  });
});

describe('a vCPU', () => {
  it.each([
    [1, 20_000],
    [2, 20_000],
    [4, 5_000],
  ])('slips past no grace period and no park, and misses no wake-up: %i vCPUs', async (vcpus, rounds) => {
    const { gate, control, hammer } = setUp(vcpus);
    const permission = new Uint8Array(new SharedArrayBuffer(1));
    const guest = ids(vcpus).map((vcpu) => hammer('vcpu', { vcpu, permission }));
    const tracer = hammer('tracer', { permission });
    const machine = hammer('machine', { rounds });
    await Promise.all([tracer.answer(), machine.answer()]);
    control.command(Command.EXIT);
    await Promise.all(guest.map((vcpu) => vcpu.answer()));
    expect(Atomics.load(gate, HammerGate.SLIPPED_GRACE)).toBe(0);
    expect(Atomics.load(gate, HammerGate.SLIPPED_PARK)).toBe(0);
    expect(Atomics.load(gate, HammerGate.SLICES)).toBeGreaterThanOrEqual(rounds / 2);
    expect(Atomics.load(gate, HammerGate.GRACE_PERIODS)).toBeGreaterThan(0);
    expect(ids(vcpus).every((vcpu) => control.state(vcpu) === VcpuState.EXITED)).toBe(true);
  });

  it('is woken for every page that it waits for, however the page comes', async () => {
    const { gate, control, hammer } = setUp(1);
    const rounds = 50_000;
    const vcpu = hammer('faulting vcpu', { vcpu: 0, rounds });
    const receiver = hammer('receiver', { rounds });
    control.command(Command.RUN);
    await Promise.all([vcpu.answer(), receiver.answer()]);
    expect(Atomics.load(gate, HammerGate.ARRIVED)).toBe(rounds);
    expect(Atomics.load(gate, HammerGate.ASKED)).toBeGreaterThan(0);
  });
});
