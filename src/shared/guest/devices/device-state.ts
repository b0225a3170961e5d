// What a device is besides its window: some doubles that only its device thread writes, saved with the checkpoint.
// Knows their layout and version; what they mean is each kind's.
import type { DeviceKind, DeviceSpec } from '../guest-program.js';
import type { SharedMachine } from '../shared-machine.js';

/** Doubles of each device. */
export const REGISTERS_PER_DEVICE = 8;

/** Registers that devices of every kind have. */
export const DeviceRegister = {
  /** How often its guest has come to another host: who carries its streams knows by this which host has it. */
  MOVES: 0,
  /** Connections so far. */
  CONNECTIONS: 1,
  /** Bytes that came in and went out so far. */
  BYTES_IN: 2,
  BYTES_OUT: 3,
  /** Drawn at random when the guest is booted: tells it from another one, wherever it is. */
  GUEST: 4,
} as const;

/** What the registers and the window of each kind mean; changes when any of that does. */
const VERSIONS: Readonly<Record<DeviceKind, number>> = { console: 1, service: 1 };

/** The state of one device, as a checkpoint has it. */
export interface DeviceState {
  readonly version: number;
  /** REGISTERS_PER_DEVICE doubles. */
  readonly registers: Float64Array;
}

export function deviceRegistersOf({ deviceRegisters }: SharedMachine, index: number): Float64Array {
  return new Float64Array(deviceRegisters, 8 * REGISTERS_PER_DEVICE * index, REGISTERS_PER_DEVICE);
}

/** Of a machine that is parked, its devices included. */
export function takeDeviceStates(machine: SharedMachine): DeviceState[] {
  return machine.spec.devices.map(({ kind }, index) => ({
    version: VERSIONS[kind],
    registers: deviceRegistersOf(machine, index).slice(),
  }));
}

/** Into a machine whose devices have not run yet. */
export function putDeviceStates(machine: SharedMachine, states: readonly DeviceState[]): void {
  states.forEach(({ registers }, index) => {
    deviceRegistersOf(machine, index).set(registers);
  });
}

/** Which of the states cannot be continued here, as a sentence; undefined when all can. */
export function complaintAboutStates(
  devices: readonly DeviceSpec[],
  states: readonly DeviceState[],
): string | undefined {
  const index = devices.findIndex(({ kind }, at) => states[at]?.version !== VERSIONS[kind]);
  if (index < 0) return undefined;
  const { name, kind } = devices[index]!;
  return `the state of ${kind} "${name}" is of version ${states[index]?.version}, and this microstun continues version ${VERSIONS[kind]}; run the same microstun on both hosts`;
}
