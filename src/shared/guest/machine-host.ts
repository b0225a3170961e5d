// What a machine has of its host, and what it tells: the seam between a guest's machine and whoever runs it.
// Types only.
import type { DeviceBindings } from '../devices/device-bindings.js';
import type { MicrostunError } from '../errors.js';
import type { MemoryHandle } from '../memory/layout.js';

export interface MachineEvents {
  /** A worker failed, or the guest program threw. Called at most once a worker. */
  failed(error: MicrostunError): void;
  /** A vCPU waits for memory that the host does not have to spare; it goes on by itself once there is some. */
  shortOfMemory?(vcpu: number): void;
  /** A slice is too long (slice-watch.ts). */
  longSlice?(text: string): void;
}

/** What a host has for a machine. */
export interface MachineHost {
  /** Memory that is laid out for it. */
  readonly memory?: MemoryHandle | undefined;
  /** The URL of its code, unless its program is built in. */
  readonly module?: string | undefined;
  /** Where its devices are reached; nowhere if not said. */
  readonly bindings?: DeviceBindings | undefined;
}
