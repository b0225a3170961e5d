// Devices as people write them in a guest's definition, and the specs that they become.
// Knows texts and numbers; what a device does is its kind's.
import { MicrostunError } from '../../errors.js';
import { deviceKinds, type DeviceKind, type DeviceSpec } from '../guest-program.js';
import { complaintAbout } from './device-windows.js';

/** A device by what it is for; its name is the key that it has in `devices`. */
export type DeviceDefinition =
  | {
      /** A console: text out, and typed text in. */
      readonly kind: 'console';
      /** Its scroll-back: a power of two; 64 KiB if nothing is said. */
      readonly ringBytes?: number;
    }
  | {
      /** A TCP service: the guest takes connections, and reads and writes their streams. */
      readonly kind: 'service';
      /** Connections at once; 64 if nothing is said. */
      readonly connections?: number;
      /** Of each connection, in either direction: a power of two; 16 KiB if nothing is said. */
      readonly ringBytes?: number;
    };

/** What a device has unless its definition says otherwise. */
const STANDARD: Readonly<Record<DeviceKind, { readonly connections: number; readonly ringBytes: number }>> = {
  console: { connections: 1, ringBytes: 64 << 10 },
  service: { connections: 64, ringBytes: 16 << 10 },
};

const KEYS: readonly string[] = ['kind', 'connections', 'ringBytes'];

/**
 * The specs of `devices`, which may be anything.
 * @throws MicrostunError GUEST_FAILED saying what is wrong with it.
 */
export function deviceSpecsOf(devices: unknown): DeviceSpec[] {
  if (typeof devices !== 'object' || devices === null || Array.isArray(devices))
    throw wrong(`"devices" has a device for each name: { web: { kind: 'service' } }`);
  const specs = Object.entries(devices).map(([name, device]) => specOf(name, device));
  // How much memory there is for their windows is not known yet.
  const complaint = complaintAbout({ memoryBytes: Infinity, devices: specs });
  if (complaint !== undefined) throw wrong(`this one ${complaint}`);
  return specs;
}

function specOf(name: string, device: unknown): DeviceSpec {
  const fields: Readonly<Record<string, unknown>> =
    typeof device === 'object' && device !== null ? { ...device } : {};
  const kind = deviceKinds.find((one) => one === fields['kind']);
  if (kind === undefined)
    throw wrong(`the device "${name}" is of a kind, { kind: '${deviceKinds.join("' } or { kind: '")}' }`);
  const unknown = Object.keys(fields).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0)
    throw wrong(
      `the device "${name}" has no "${unknown.join('", "')}"; what it may have is ${KEYS.join(', ')}`,
    );
  const { connections = STANDARD[kind].connections, ringBytes = STANDARD[kind].ringBytes } = fields;
  if (typeof connections !== 'number' || typeof ringBytes !== 'number')
    throw wrong(`"connections" and "ringBytes" of the device "${name}" are numbers`);
  return { name, kind, connections, ringBytes };
}

function wrong(what: string): MicrostunError {
  return new MicrostunError('GUEST_FAILED', what);
}
