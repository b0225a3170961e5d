// What the key-value store declares: read without its code by whoever starts, lists or refuses guests.
// Knows the device alone.
import type { DeviceSpec } from '../../guest-program.js';

/** Its service, unless a guest is made with another of that name: as many clients as Redis' benchmark has, and spare ones. */
export const SERVICE_NAME = 'redis';
export const keyValueDevices: readonly DeviceSpec[] = [
  { name: SERVICE_NAME, kind: 'service', connections: 128, ringBytes: 65_536 },
];
