// The devices of a guest as its program sees them, by name, on one vCPU.
// Knows windows and kinds; what carries their bytes is the device thread's.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import type { DeviceKind, GuestSpec } from '../guest-program.js';
import { ConsoleStream } from './console.js';
import { deviceWindowsOf, type DeviceWindow } from './device-windows.js';
import { ServiceStreams } from './streams.js';

/** The devices that a guest declared, by their names. */
export class GuestDevices {
  /** Since this was last set to false, the program has left work for the device thread. */
  isTouched = false;
  readonly #memory: GuestMemory;
  readonly #windows: ReadonlyMap<string, DeviceWindow>;
  readonly #services = new Map<string, ServiceStreams>();
  readonly #consoles = new Map<string, ConsoleStream>();

  constructor(memory: GuestMemory, spec: Pick<GuestSpec, 'memoryBytes' | 'devices'>) {
    this.#memory = memory;
    this.#windows = new Map(deviceWindowsOf(spec).map((window) => [window.device.name, window]));
  }

  /**
   * The connections of the service of that name; the same object every time.
   * @throws Error when the guest has no such device.
   */
  service(name: string): ServiceStreams {
    return made(
      this.#services,
      name,
      () => new ServiceStreams(this.#memory, this.#windowOf(name, 'service'), this.#touch),
    );
  }

  /**
   * The console of that name; the same object every time.
   * @throws Error when the guest has no such device.
   */
  console(name = 'console'): ConsoleStream {
    return made(
      this.#consoles,
      name,
      () => new ConsoleStream(this.#memory, this.#windowOf(name, 'console'), this.#touch),
    );
  }

  readonly #touch = (): void => {
    this.isTouched = true;
  };

  #windowOf(name: string, kind: DeviceKind): DeviceWindow {
    const window = this.#windows.get(name);
    if (window?.device.kind === kind) return window;
    const all = Array.from(this.#windows.values(), ({ device }) => `${device.kind} "${device.name}"`);
    throw new Error(
      `the guest has no ${kind} "${name}"; it declares ${all.length === 0 ? 'no device' : all.join(', ')}`,
    );
  }
}

function made<T>(all: Map<string, T>, name: string, make: () => T): T {
  let one = all.get(name);
  if (one === undefined) all.set(name, (one = make()));
  return one;
}
