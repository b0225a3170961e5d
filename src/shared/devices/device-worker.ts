// Entry of the device thread: makes what serves each device of a machine, listens where they are published, and serves.
// Nobody imports this file; device-thread.ts starts it.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { asMicrostunError, assert, type ErrorCode } from '../errors.js';
import { ConsolePort } from '../guest/devices/console.js';
import { DeviceRegister, deviceRegistersOf } from '../guest/devices/device-state.js';
import { deviceWindowsOf, type DeviceWindow } from '../guest/devices/device-windows.js';
import { StreamPorts } from '../guest/devices/stream-ports.js';
import type { SharedMachine } from '../guest/shared-machine.js';
import { DeviceSafepoint } from '../memory/device-safepoint.js';
import { createGuestMemory } from '../memory/guest-memory.js';
import { viewMemory } from '../memory/layout.js';
import { PageState } from '../memory/pages.js';
import { after } from '../timers.js';
import { THIS_HOST_ONLY } from '../wire/security.js';
import type { Address } from '../wire/sockets.js';
import type { DeviceBindings, ListeningDevices } from './device-bindings.js';
import { CarriedStreams } from './carried-streams.js';
import { ConsoleBackEnd } from './console-back-end.js';
import { DeviceHost, type BackEnd } from './device-host.js';
import { StreamDoor } from './stream-door.js';
import { ServiceBackEnd } from './service-back-end.js';

/** What device-thread.ts starts the device thread with. */
export interface DeviceWorkerData {
  readonly machine: SharedMachine;
  readonly bindings: DeviceBindings;
  /** The guest comes from another host. */
  readonly hasCome: boolean;
  /** Where it asks for pages that are still on the source: page numbers. */
  readonly faults: MessagePort;
}

export interface DeviceRequest {
  readonly kind: 'exit';
}

export type DeviceMessage =
  | { readonly kind: 'ready'; readonly listening: ListeningDevices }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string };

const port = parentPort;
assert(port !== null, 'device-worker.ts runs as a worker');
const { machine, bindings, hasCome, faults } = workerData as DeviceWorkerData;
const tell = (message: DeviceMessage): void => {
  port.postMessage(message);
};

const safepoint = new DeviceSafepoint(machine.safepointWords);
const views = viewMemory(machine.memory);
const memory = createGuestMemory(views, {
  pageFires: 0,
  waitForPage(page) {
    safepoint.waitForPage(
      page,
      () => Atomics.load(views.pageTable, page) < PageState.ABSENT,
      () => {
        faults.postMessage(page);
      },
    );
  },
});

const arrivals: (() => void)[] = [];
// Only once it is made may anything be scheduled: nothing listens before.
const schedule = (): void => {
  host.schedule();
};
const listening = { published: {} as Record<string, Address>, carried: {} as Record<string, Address> };
const doors: StreamDoor[] = [];
const security = bindings.security ?? THIS_HOST_ONLY;

function noteLife(registers: Float64Array): void {
  if (hasCome) registers[DeviceRegister.MOVES]!++;
  else registers[DeviceRegister.GUEST] = crypto.getRandomValues(new Uint32Array(1))[0]!;
}

async function backEndsOf(window: DeviceWindow, registers: Float64Array): Promise<BackEnd[]> {
  const { name, kind } = window.device;
  const clients = bindings.published[name];
  const gateways = bindings.carried[name];
  arrivals.push(() => {
    noteLife(registers);
  });
  if (kind === 'console') {
    const console = new ConsoleBackEnd(new ConsolePort(memory, window), registers, schedule);
    if (clients !== undefined) listening.published[name] = await console.publish(clients);
    return [console];
  }
  const ports = new StreamPorts(memory, window);
  const service = new ServiceBackEnd(ports, registers, schedule);
  if (clients !== undefined) listening.published[name] = await service.publish(clients);
  if (hasCome)
    arrivals.push(() => {
      service.come(gateways !== undefined);
    });
  if (gateways === undefined) return [service];
  const carried = new CarriedStreams(ports, registers, schedule, after);
  const door = new StreamDoor((gateway, connection) => {
    carried.attach(gateway, connection);
  });
  doors.push(door);
  listening.carried[name] = await door.open(gateways, security);
  return [service, carried];
}

const backEnds: BackEnd[] = [];
let left: Promise<void> | undefined;
// The thread stays after that until it is told to end: its end takes milliseconds of a processor, and the guest begins to run
// elsewhere just then.
const leave = (): Promise<void> => {
  for (const door of doors) door.close();
  left ??= host.close();
  return left;
};
const host = new DeviceHost(
  safepoint,
  backEnds,
  () => {
    for (const arrive of arrivals) arrive();
  },
  () => {
    void leave();
  },
);
const end = async (): Promise<void> => {
  await leave();
  safepoint.exit();
  faults.close();
  port.close();
};
port.on('message', () => {
  void end();
});
try {
  for (const [index, window] of deviceWindowsOf(machine.spec).entries())
    backEnds.push(...(await backEndsOf(window, deviceRegistersOf(machine, index))));
  tell({ kind: 'ready', listening });
  await host.run();
} catch (error) {
  const { code, message } = asMicrostunError(error, 'WORKER_FAILED');
  tell({ kind: 'refused', code, reason: message });
  await end();
}
