// What a guest's clock reads across parks and migrations, and which time between its slices is a gap. On given instants.
import { describe, expect, it } from 'vitest';
import { putCheckpoint, takeCheckpoint } from '../../src/shared/guest/checkpoint.js';
import { parkedClockUs, resumeClock, setParkedClock } from '../../src/shared/guest/guest-clock.js';
import {
  allocateMachine,
  Counter,
  countersOf,
  MachineSettings,
  type SharedMachine,
} from '../../src/shared/guest/shared-machine.js';
import { SliceGap } from '../../src/shared/guest/slice-gap.js';

function machineOf(vcpus: number): SharedMachine {
  return allocateMachine({
    program: 'uniform',
    memoryBytes: 4096,
    vcpus,
    seed: 1,
    writeRate: 0,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  });
}

const readAt = (machine: SharedMachine, us: number): number =>
  us - new MachineSettings(machine).guestClockBaseUs;

function parkAt(machine: SharedMachine, ...instants: number[]): void {
  instants.forEach((us, vcpu) => {
    countersOf(machine, vcpu)[Counter.PARKED_AT] = us;
  });
}

describe("the guest's clock", () => {
  it('stands still from the moment that the last vCPU parked until the guest is told to run', () => {
    const machine = machineOf(2);
    setParkedClock(machine, 0, 1000);
    resumeClock(machine, 1000);
    parkAt(machine, 5000, 6000);
    expect(parkedClockUs(machine)).toBe(5000);
    expect(resumeClock(machine, 86_000)).toBe(80_000);
    expect(readAt(machine, 86_000)).toBe(5000);
    expect(readAt(machine, 86_500)).toBe(5500);
  });

  it('counts the sleep of a guest that had halted when it was stopped', () => {
    const machine = machineOf(1);
    setParkedClock(machine, 0, 0);
    resumeClock(machine, 0);
    countersOf(machine, 0)[Counter.LAST_SLICE_END_AT] = 10_000;
    parkAt(machine, 50_000);
    expect(takeCheckpoint(machine).guestClockUs).toBe(50_000);
  });

  it('goes on at the destination from where it stood, whatever the clocks of the two hosts read', () => {
    const source = machineOf(1);
    setParkedClock(source, 0, 7000);
    resumeClock(source, 7000);
    parkAt(source, 9000);
    const destination = machineOf(1);
    setParkedClock(destination, 0, 900_000);
    putCheckpoint(destination, takeCheckpoint(source), 950_000);
    expect(parkedClockUs(destination)).toBe(2000);
    resumeClock(destination, 950_040);
    expect(readAt(destination, 950_040)).toBe(2000);
  });

  it('does not jump by the park when the guest stays, refused after its checkpoint was taken', () => {
    const machine = machineOf(1);
    setParkedClock(machine, 0, 0);
    resumeClock(machine, 0);
    parkAt(machine, 3000);
    const { guestClockUs } = takeCheckpoint(machine);
    resumeClock(machine, 303_000);
    expect(readAt(machine, 303_000)).toBe(guestClockUs);
  });

  it('never goes back when the guest is parked again before it ran a slice', () => {
    const machine = machineOf(1);
    setParkedClock(machine, 0, 0);
    resumeClock(machine, 0);
    parkAt(machine, 1000);
    resumeClock(machine, 501_000);
    // PARK came before the vCPU saw RUN: it never left its park and wrote no other instant.
    expect(parkedClockUs(machine)).toBe(1000);
    resumeClock(machine, 900_000);
    expect(readAt(machine, 900_000)).toBe(1000);
  });
});

describe('the gap between two slices', () => {
  it('is the time between them when nothing was asked to be slept', () => {
    const gap = new SliceGap();
    expect(gap.at(5)).toBeUndefined();
    gap.sliceEnded(100);
    expect(gap.at(130)).toBe(30);
  });

  it('counts of a sleep only how late the wake-up was', () => {
    const gap = new SliceGap();
    gap.sliceEnded(1000);
    gap.slept(500, 740);
    expect(gap.at(1745)).toBe(245);
  });

  it('counts nothing of a sleep that a command cut short', () => {
    const gap = new SliceGap();
    gap.sliceEnded(1000);
    gap.slept(50_000, 300);
    expect(gap.at(1310)).toBe(10);
  });

  it("adds up the lateness of the guest's own sleep and of the throttle's", () => {
    const gap = new SliceGap();
    gap.sliceEnded(0);
    gap.slept(100, 130);
    gap.slept(1000, 1070);
    expect(gap.at(1200)).toBe(100);
  });

  it('is none after a park', () => {
    const gap = new SliceGap();
    gap.sliceEnded(100);
    gap.parked();
    gap.slept(1, 2);
    expect(gap.at(900)).toBeUndefined();
  });
});
