// Where on a host the devices of a guest are reached: said by whoever runs a machine, told by the device thread.
// Types and a constant; a guest's machine passes them on and looks into none of the addresses, nor at what protects them.
import type { Security } from '../wire/security.js';
import type { Address } from '../wire/sockets.js';

/** By the devices' names. */
export type DeviceAddresses = Readonly<Record<string, Address>>;

/** Where on this host a device is reached, by the device's name. A device that is not bound is reached by nobody. */
export interface DeviceBindings {
  /** Clients of a service, or who looks at a console. */
  readonly published: DeviceAddresses;
  /** Gateways that carry the clients of a service. */
  readonly carried: DeviceAddresses;
  /** Of connections to gateways; within this host only where nothing is said. */
  readonly security?: Security;
}

/** Where devices are reached. */
export type ListeningDevices = Pick<DeviceBindings, 'published' | 'carried'>;

export const UNBOUND: DeviceBindings = { published: {}, carried: {} };
