// The machine with real vCPU workers: its parks, its clock, and workers that end.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { monotonicUs } from '../../src/shared/clock.js';
import type { MicrostunError } from '../../src/shared/errors.js';
import { GuestMachine } from '../../src/shared/guest/machine.js';
import { takeCheckpoint } from '../../src/shared/guest/checkpoint.js';
import { assertAllParked } from '../../src/shared/guest/safepoint-trouble.js';
import { Counter, countersOf } from '../../src/shared/guest/shared-machine.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { viewMemory } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState } from '../../src/shared/memory/pages.js';
import { VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { TracerThread } from '../../src/source/tracer/tracer-thread.js';
import { releaseGuest } from '../../src/source/release.js';
import { COMPACTED, faultPeerOf, IGNORED } from '../support/fault-peer.js';
import { until } from '../support/fixture-threads.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function makeMachine(program: string, vcpus: number): { machine: GuestMachine; failures: MicrostunError[] } {
  const failures: MicrostunError[] = [];
  const spec = {
    program,
    memoryBytes: 64 * PAGE_BYTES,
    vcpus,
    seed: 1,
    writeRate: Infinity,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  };
  const machine = new GuestMachine(spec, { failed: (error) => failures.push(error) });
  closers.push(() => machine.close());
  return { machine, failures };
}

const parkedAt = (machine: GuestMachine): number =>
  Math.max(
    ...Array.from(
      { length: machine.spec.vcpus },
      (_, vcpu) => countersOf(machine.shared, vcpu)[Counter.PARKED_AT]!,
    ),
  );

/** The nice values of this process's threads that run with lower priority; the 19th field of proc_pid_stat(5). */
const loweredThreads = (): number[] =>
  readdirSync('/proc/self/task')
    .map((thread) =>
      Number(/.*\) (.*)/.exec(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8'))![1]!.split(' ')[16]),
    )
    .filter((nice) => nice > 0);

describe('a machine', () => {
  it.runIf(process.platform === 'linux')(
    'lets its vCPUs, and no other thread, give way to the threads that answer',
    async () => {
      const before = loweredThreads().length;
      const { machine } = makeMachine('hot-set', 6);
      await machine.start(true);
      expect(loweredThreads().length - before).toBe(6);
    },
  );

  it('that is paused runs nothing of its guest and lets its clock stand still, until it goes on', async () => {
    const { machine } = makeMachine('replay', 2);
    await machine.start(true);
    await machine.setPaused(true);
    await machine.resume();
    await machine.park();
    expect(takeCheckpoint(machine.shared)).toMatchObject({ isPaused: true, guestClockUs: 0 });
    await machine.resume();
    expect(machine.counters().slices).toBe(0);
    await machine.setPaused(false);
    await expect.poll(() => machine.counters().slices).toBeGreaterThan(0);
    await machine.setPaused(true);
    const { slices } = machine.counters();
    await machine.park();
    const { guestClockUs } = takeCheckpoint(machine.shared);
    await machine.resume();
    await machine.park();
    expect([takeCheckpoint(machine.shared).guestClockUs, machine.counters().slices]).toEqual([
      guestClockUs,
      slices,
    ]);
    expect((await machine.audit()).passed).toBe(true);
    await machine.setPaused(false);
    await machine.resume();
    await machine.park();
    const runOn = takeCheckpoint(machine.shared);
    expect(runOn.isPaused).toBe(false);
    expect(runOn.guestClockUs).toBeGreaterThan(guestClockUs);
  });

  it("does not let its guest's clock run while it is parked", async () => {
    const { machine } = makeMachine('replay', 2);
    await machine.start(true);
    await machine.resume();
    await machine.park();
    const before = takeCheckpoint(machine.shared).guestClockUs;
    const stoppedAt = parkedAt(machine);
    await machine.audit();
    const resumedAfter = monotonicUs();
    const stoodStillMs = await machine.resume();
    expect(stoodStillMs).toBeGreaterThanOrEqual((resumedAfter - stoppedAt) / 1000);
    await machine.park();
    const ran = takeCheckpoint(machine.shared).guestClockUs - before;
    expect(ran).toBeGreaterThan(0);
    expect(ran).toBeLessThanOrEqual(parkedAt(machine) - resumedAfter + 1);
  });

  it('knows that a vCPU has ended whose worker could not say so, and parks no guest with it', async () => {
    const { machine, failures } = makeMachine('no such guest', 1);
    await expect(machine.start(true)).rejects.toMatchObject({ code: 'GUEST_FAILED' });
    expect(failures).toHaveLength(1);
    expect(machine.safepoints.state(0)).toBe(VcpuState.EXITED);
    expect(machine.isFailed).toBe(true);
    await expect(machine.park()).rejects.toMatchObject({ code: 'GUEST_FAILED' });
    expect(() => {
      assertAllParked(machine.safepoints, machine.spec.program);
    }).toThrow(/vCPU 0 .* is not parked/);
    await machine.resume();
  });

  it('is waited for by nobody once it is closed', async () => {
    const { machine } = makeMachine('replay', 2);
    await machine.start(true);
    await machine.resume();
    await until(() => machine.counters().slices > 0);
    await machine.close();
    expect([0, 1].map((vcpu) => machine.safepoints.state(vcpu))).toEqual([
      VcpuState.EXITED,
      VcpuState.EXITED,
    ]);
    machine.safepoints.waitForGracePeriod();
  });
});

describe('a guest whose migration failed', () => {
  async function traced(vcpus: number) {
    const { machine } = makeMachine('replay', vcpus);
    await machine.start(true);
    await machine.resume();
    const gate = allocateHandOverGate();
    new HandOverGate(gate).open();
    const tracer = new TracerThread(machine.shared, 'dedicated', gate, IGNORED);
    closers.push(() => tracer.close());
    await tracer.installTraces();
    // It leaves, and the destination refuses it.
    const leaves = async (): Promise<void> => {
      const peer = await faultPeerOf(tracer);
      closers.push(() => peer.leave('at once'));
      await tracer.switchOver(COMPACTED);
      await peer.hears('HAND_OVER');
    };
    return { machine, tracer, leaves };
  }

  const tracedPages = (machine: GuestMachine): number =>
    viewMemory(machine.shared.memory)
      .pageTable.subarray(0, 64)
      .reduce((count, state) => count + (state === PageState.TRACED ? 1 : 0), 0);

  it('is not stopped for its release when it never was', async () => {
    const { machine, tracer } = await traced(2);
    expect(await releaseGuest(machine, tracer)).toEqual({ kind: 'never stopped' });
    expect(parkedAt(machine)).toBe(0);
    expect(tracedPages(machine)).toBe(0);
  });

  it('runs on without traces when it was stopped, and its clock did not run meanwhile', async () => {
    const { machine, tracer, leaves } = await traced(2);
    await leaves();
    const before = takeCheckpoint(machine.shared).guestClockUs;
    const released = await releaseGuest(machine, tracer);
    expect(released).toMatchObject({ kind: 'runs on', stoodStillMs: expect.any(Number) as number });
    expect(tracedPages(machine)).toBe(0);
    const { slices } = machine.counters();
    await until(() => machine.counters().slices > slices);
    await machine.park();
    expect(takeCheckpoint(machine.shared).guestClockUs).toBeGreaterThan(before);
  });

  it('is released also when one of its vCPUs has ended', async () => {
    const { machine, tracer, leaves } = await traced(2);
    await leaves();
    machine.safepoints.markExited(1);
    expect(await releaseGuest(machine, tracer)).toEqual({ kind: 'failed' });
    expect(tracedPages(machine)).toBe(0);
  });
});
