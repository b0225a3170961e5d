// Where the devices of a guest have their windows: whole pages at the end of guest memory, one after the other.
// Pure; what lies in a window is its kind's (slot-words.ts, console-words.ts).
import { PAGE_BYTES } from '../../memory/pages.js';
import type { DeviceSpec, GuestSpec } from '../guest-program.js';
import { CONSOLE_INPUT_BYTES } from './console-words.js';
import { SLOT_BYTES } from './slot-words.js';

/** Devices of one guest. */
export const DEVICES_MAX = 8;
export const DEVICE_NAME_CHARACTERS_MAX = 40;
/** Connections of one device: its slots are looked through one by one. */
export const DEVICE_CONNECTIONS_MAX = 1024;
/** A ring is a page at the least, and no more than a device slice moves in well under a millisecond. */
export const RING_BYTES_MIN = PAGE_BYTES;
export const RING_BYTES_MAX = 1 << 20;

/** A device's part of guest memory. */
export interface DeviceWindow {
  readonly device: DeviceSpec;
  readonly gpa: number;
  /** Whole pages. */
  readonly byteCount: number;
}

/** Bytes of the window of `device`. */
function windowBytesOf({ kind, connections, ringBytes }: DeviceSpec): number {
  return kind === 'console'
    ? PAGE_BYTES + ringBytes + CONSOLE_INPUT_BYTES
    : wholePages(connections * SLOT_BYTES) + connections * 2 * ringBytes;
}

/** What is left to the program of a guest: its memory up to the first window. */
export function programBytesOf({ memoryBytes, devices }: Pick<GuestSpec, 'memoryBytes' | 'devices'>): number {
  return memoryBytes - devices.reduce((sum, device) => sum + windowBytesOf(device), 0);
}

/** The windows of a guest's devices, in their order. */
export function deviceWindowsOf(spec: Pick<GuestSpec, 'memoryBytes' | 'devices'>): DeviceWindow[] {
  let gpa = programBytesOf(spec);
  return spec.devices.map((device) => {
    const byteCount = windowBytesOf(device);
    const window = { device, gpa, byteCount };
    gpa += byteCount;
    return window;
  });
}

/** What is wrong with the devices of a guest, as the end of a sentence about it; undefined when nothing is. */
export function complaintAbout(spec: Pick<GuestSpec, 'memoryBytes' | 'devices'>): string | undefined {
  const { devices } = spec;
  if (devices.length > DEVICES_MAX) return `has ${devices.length} devices; ${DEVICES_MAX} are allowed`;
  for (const { name, kind, connections, ringBytes } of devices) {
    if (name === '' || name.length > DEVICE_NAME_CHARACTERS_MAX)
      return `has a device whose name is not 1 to ${DEVICE_NAME_CHARACTERS_MAX} characters long`;
    if (devices.filter((other) => other.name === name).length > 1) return `has two devices named "${name}"`;
    const connectionsMax = kind === 'console' ? 1 : DEVICE_CONNECTIONS_MAX;
    if (!Number.isInteger(connections) || connections < 1 || connections > connectionsMax)
      return `has a ${kind} "${name}" of ${connections} connections; 1 to ${connectionsMax} are allowed`;
    const isRing =
      Number.isInteger(Math.log2(ringBytes)) && ringBytes >= RING_BYTES_MIN && ringBytes <= RING_BYTES_MAX;
    if (!isRing)
      return `has a ${kind} "${name}" with rings of ${ringBytes} bytes; a power of two from ${RING_BYTES_MIN} to ${RING_BYTES_MAX} is allowed`;
  }
  const programBytes = programBytesOf(spec);
  if (programBytes < PAGE_BYTES)
    return `has devices whose windows take ${spec.memoryBytes - programBytes} bytes of its ${spec.memoryBytes}; give it more --memory`;
  return undefined;
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
