// The guest's clock: it stands still from the moment that the last vCPU parked until the vCPUs are told to run again.
// Whoever parks and resumes calls these while no vCPU runs; the vCPUs only read the base.
import { Counter, countersOf, MachineSettings, type SharedMachine } from './shared-machine.js';

/** What the clock of a parked guest reads, in microseconds; that of a paused one stands still while it runs, too. */
export function parkedClockUs(machine: SharedMachine): number {
  const settings = new MachineSettings(machine);
  if (settings.isPaused) return settings.guestClockFromUs;
  let parkedAt = 0;
  for (let vcpu = 0; vcpu < machine.spec.vcpus; vcpu++) {
    parkedAt = Math.max(parkedAt, countersOf(machine, vcpu)[Counter.PARKED_AT]!);
  }
  // A guest that was told to run and to park again before it ran a slice has parked no later than before.
  return Math.max(settings.guestClockFromUs, parkedAt - settings.guestClockBaseUs);
}

/** Sets the clock of a parked guest. */
export function setParkedClock(machine: SharedMachine, readingUs: number, nowUs: number): void {
  const settings = new MachineSettings(machine);
  settings.guestClockBaseUs = nowUs - readingUs;
  settings.guestClockFromUs = readingUs;
}

/** When a parked guest's clock stopped, by the host's. */
export function parkedAtUs(machine: SharedMachine): number {
  return new MachineSettings(machine).guestClockBaseUs + parkedClockUs(machine);
}

/** The parked guest runs on at `nowUs`, and its clock with it; answers for how long the clock stood still. */
export function resumeClock(machine: SharedMachine, nowUs: number): number {
  const stoodStillUs = nowUs - parkedAtUs(machine);
  setParkedClock(machine, parkedClockUs(machine), nowUs);
  return stoodStillUs;
}

/** Pauses a parked guest, or lets it go on from where it stood: it does so once it is told to run. */
export function setPaused(machine: SharedMachine, isPaused: boolean, nowUs: number): void {
  setParkedClock(machine, parkedClockUs(machine), nowUs);
  new MachineSettings(machine).isPaused = isPaused;
}
