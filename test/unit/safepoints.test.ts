// Waits for vCPUs that will not come: every one of them ends, and says which vCPU it was. On one thread, without workers.
import { describe, expect, it } from 'vitest';
import { allocateSafepointWords, Command, VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { TraceWork } from '../../src/shared/memory/tracing.js';
import { VcpuSafepoint } from '../../src/shared/memory/vcpu-safepoint.js';

/** A few steps of waiting are enough where nobody will ever come. */
const IMPATIENT = { sliceMsMax: 2 };

function setUp(vcpus: number, patience: ConstructorParameters<typeof SafepointControl>[1] = IMPATIENT) {
  const words = allocateSafepointWords(vcpus);
  const control = new SafepointControl(words, patience);
  const guest = Array.from({ length: vcpus }, (_, id) => new VcpuSafepoint(words, id));
  control.command(Command.RUN);
  return { words, control, guest, runs: (vcpu: number) => void guest[vcpu]!.park() };
}

describe('a vCPU that has exited', () => {
  it('does not count as parked', async () => {
    const { control, guest } = setUp(2);
    control.command(Command.PARK);
    expect(control.areAllParked()).toBe(true);
    guest[1]!.exit();
    expect(control.areAllParked()).toBe(false);
    await expect(control.parked()).rejects.toMatchObject({ trouble: 'exited', vcpu: 1 });
    expect(() => {
      control.waitUntilParked();
    }).toThrow(/vCPU 1 has ended in the middle of its slice/);
  });

  it('fails a park that waits for it when it exits', async () => {
    const { control, guest, runs } = setUp(2);
    runs(0);
    control.command(Command.PARK);
    const parked = control.parked();
    guest[0]!.exit();
    await expect(parked).rejects.toMatchObject({ trouble: 'exited', vcpu: 0 });
  });

  it('is waited for by no grace period, also when its worker could not say that it ended', () => {
    const { control, runs } = setUp(1);
    runs(0);
    expect(control.state(0)).toBe(VcpuState.RUNNING);
    control.markExited(0);
    control.waitForGracePeriod();
    expect(control.state(0)).toBe(VcpuState.EXITED);
  });

  it('fails trace work, which lets the others run on', () => {
    const { control, guest } = setUp(2);
    guest[0]!.exit();
    expect(() => {
      control.stopAndTrace(TraceWork.INSTALL);
    }).toThrow(/vCPU 0 has ended/);
    expect(guest[1]!.pass()).toBe(Command.RUN);
  });

  it('is not waited for by a resume', async () => {
    const { control, guest } = setUp(2, {});
    control.command(Command.PARK);
    guest[0]!.exit();
    const resumed = control.resume();
    guest[1]!.noteResumed();
    await resumed;
  });

  it('ends a resume that waits for its first slice', async () => {
    const { control, guest } = setUp(2, {});
    control.command(Command.PARK);
    const resumed = control.resume();
    guest[1]!.noteResumed();
    // It counts once, however it comes: its own first slice is not taken for the other's.
    control.markExited(1);
    let isOver = false;
    void resumed.then(() => {
      isOver = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    control.markExited(0);
    await resumed;
  });
});

describe('a vCPU in an endless slice', () => {
  it('ends a grace period, a park and trace work with its number and what to do', async () => {
    const { control, runs } = setUp(2);
    runs(1);
    const stuck = { trouble: 'stuck', vcpu: 1 };
    expect(() => {
      control.waitForGracePeriod();
    }).toThrow(/vCPU 1 has been in one slice for 0.002 s; .* end the loop in its runSlice, or end the guest/);
    expect(() => {
      control.stopAndTrace(TraceWork.HARVEST);
    }).toThrow(expect.objectContaining(stuck));
    control.command(Command.PARK);
    expect(() => {
      control.waitUntilParked();
    }).toThrow(expect.objectContaining(stuck));
    await expect(control.parked()).rejects.toMatchObject(stuck);
  });

  it('does not hold up the vCPUs that had stopped for trace work', () => {
    const { control, guest, runs } = setUp(2);
    runs(1);
    expect(() => {
      control.stopAndTrace(TraceWork.INSTALL);
    }).toThrow(/vCPU 1/);
    expect(guest[0]!.pass()).toBe(Command.RUN);
  });

  it('does not hold up a resume for ever', async () => {
    const { control, runs } = setUp(1);
    runs(0);
    await control.resume();
  });

  it('is waited for no longer once the wait is given up', () => {
    const giveUp = new Int32Array(new SharedArrayBuffer(4));
    const { control, runs } = setUp(1, { giveUp });
    runs(0);
    Atomics.store(giveUp, 0, 1);
    expect(() => {
      control.waitForGracePeriod();
    }).toThrow(/given up/);
  });
});

describe('a vCPU that waited for a page', () => {
  it('waits for none any more', () => {
    const { control, guest, runs } = setUp(1);
    runs(0);
    let whileWaiting: number | undefined;
    const isHere = (): boolean => {
      whileWaiting = control.faultOf(0);
      return true;
    };
    guest[0]!.waitForPage(7, isHere, () => undefined);
    expect([whileWaiting, control.faultOf(0)]).toEqual([7, undefined]);
  });
});

describe('pages that a running guest lacks', () => {
  it('are counted down to the last one by whoever places them', () => {
    const { control } = setUp(1);
    expect([control.isHandedOver, control.lackingPages]).toEqual([false, 0]);
    control.handOver(3);
    expect([control.isHandedOver, control.lackingPages]).toEqual([true, 3]);
    expect([control.notePlaced(1), control.notePlaced(2)]).toEqual([2, 0]);
    expect([control.isHandedOver, control.lackingPages]).toEqual([true, 0]);
  });
});
