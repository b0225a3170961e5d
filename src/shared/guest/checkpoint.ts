// The checkpoint: everything of a guest but its pages. Taken while the guest is parked.
// Knows how to take and put it; its form on the wire is the codec's.
import { putDeviceStates, takeDeviceStates, type DeviceState } from './devices/device-state.js';
import { parkedClockUs, setParkedClock } from './guest-clock.js';
import { MachineSettings, registersOf, type SharedMachine } from './shared-machine.js';

export interface Checkpoint {
  /** REGISTERS_PER_VCPU doubles for each vCPU. */
  readonly registers: readonly Float64Array[];
  /** One for each device. */
  readonly devices: readonly DeviceState[];
  readonly isPaused: boolean;
  /** What the guest's clock read when it was parked, in microseconds. */
  readonly guestClockUs: number;
}

/** Takes the checkpoint of a machine all of whose vCPUs are parked, and its device thread. */
export function takeCheckpoint(machine: SharedMachine): Checkpoint {
  const registers = Array.from({ length: machine.spec.vcpus }, (_, vcpu) =>
    registersOf(machine, vcpu).slice(),
  );
  const { isPaused } = new MachineSettings(machine);
  return { registers, devices: takeDeviceStates(machine), isPaused, guestClockUs: parkedClockUs(machine) };
}

/** Puts a checkpoint into a parked machine; its clock goes on from where it stood, at `nowUs` of this host. */
export function putCheckpoint(machine: SharedMachine, checkpoint: Checkpoint, nowUs: number): void {
  checkpoint.registers.forEach((values, vcpu) => {
    registersOf(machine, vcpu).set(values);
  });
  putDeviceStates(machine, checkpoint.devices);
  new MachineSettings(machine).isPaused = checkpoint.isPaused;
  setParkedClock(machine, checkpoint.guestClockUs, nowUs);
}
