// What an incoming migration has its hands on: time, the machine of the guest that comes, and whoever brings its pages.
// Narrow interfaces, and the host's own; a simulation and tests give others.
import type { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import type { DeviceBindings } from '../shared/devices/device-bindings.js';
import { GuestMachine } from '../shared/guest/machine.js';
import type { MachineCounters } from '../shared/guest/machine-counters.js';
import type { Time } from '../shared/time.js';
import { hostTime } from '../shared/timers.js';
import type { MessageOf } from '../shared/wire/messages.js';
import type { Address } from '../shared/wire/sockets.js';
import type { Pass } from '../shared/wire/pass.js';
import type { Security } from '../shared/wire/security.js';
import { Fetcher, type FetcherEvents, type GuestPlace } from './faults/fetcher.js';
import { pageWays, type ControlPath, type PageWays } from './page-ways.js';
import { ArrivingPages } from './pages/arriving-pages.js';
import { ReceiverPool, type PageAgreement, type ReceiverEvents } from './pages/receivers.js';
import type { MemoryReserve } from './memory/reserve.js';
import { Toucher } from './memory/toucher.js';
import { stepIncoming } from './states/step.js';

/** The machine of a guest that comes. */
export interface IncomingMachine extends Pick<
  GuestMachine,
  | 'start'
  | 'close'
  | 'prepareSampling'
  | 'startSampling'
  | 'stopSampling'
  | 'begun'
  | 'resume'
  | 'stop'
  | 'park'
  | 'isStopped'
  | 'audit'
  | 'gapCounts'
> {
  counters(): Pick<
    MachineCounters,
    'remoteFaults' | 'faultBuckets' | 'longestFaultUs' | 'longestGapUs' | 'firstSliceAt'
  >;
}

export type IncomingToucher = Pick<Toucher, 'close'>;

export type IncomingPages = Pick<ArrivingPages, 'pageCount' | 'lackingPages' | 'missing'>;

export type IncomingReceivers = Pick<
  ReceiverPool,
  | 'start'
  | 'count'
  | 'ports'
  | 'placementGate'
  | 'placedHashes'
  | 'receivedBytes'
  | 'reconnect'
  | 'renew'
  | 'close'
>;

export type IncomingFetcher = Pick<
  Fetcher,
  'port' | 'roundPlaced' | 'settle' | 'reconnect' | 'renew' | 'close'
>;

export interface IncomingHands<Machine extends IncomingMachine> {
  readonly time: Time;
  /** Of the connections to a source. */
  readonly security: Security;
  /** What decides. */
  readonly step: typeof stepIncoming;
  /** Resolves when memory that is kept for guests is ready for the next. */
  memoryReady(): Promise<void>;
  /** `module`: the URL of its code, unless it is built in. */
  machine(spec: GuestSpec, module: string | undefined, failed: (error: MicrostunError) => void): Machine;
  /** A machine's memory is nobody's any more: no thread has it, and no kernel reads into it. */
  release(machine: Machine): void;
  /** `touchedBytes`: what the guest has touched so far. */
  toucher(machine: Machine, touchedBytes: number): IncomingToucher;
  pages(machine: Machine): IncomingPages;
  /** How a guest's page and fault connections come about. */
  ways(prepare: MessageOf<'PREPARE'>, control: ControlPath): PageWays;
  receivers(
    machine: Machine,
    ways: PageWays,
    pass: Pass,
    events: ReceiverEvents,
    agreed: PageAgreement,
  ): IncomingReceivers;
  fetcher(
    place: Omit<GuestPlace, 'machine'> & { readonly machine: Machine },
    ways: PageWays,
    pass: Pass,
    events: FetcherEvents,
  ): IncomingFetcher;
}

/** What this host has for the guests that come. */
export interface HostParts {
  /** Guests get their memory from it where it has that. */
  readonly reserve?: MemoryReserve | undefined;
  /** A vCPU waits for memory. */
  readonly shortOfMemory?: ((vcpu: number) => void) | undefined;
  /** A slice is too long. */
  readonly longSlice?: ((text: string) => void) | undefined;
  /** Where a source finds its page connections that dials them; by default where it came in. */
  readonly pageListen?: Address | undefined;
  /** Where their devices are reached. */
  readonly bindings?: DeviceBindings | undefined;
}

/** This host's. */
export const hostHands = (
  security: Security,
  { reserve, shortOfMemory, longSlice, pageListen, bindings }: HostParts = {},
): IncomingHands<GuestMachine> => ({
  time: hostTime,
  security,
  step: stepIncoming,
  memoryReady: () => reserve?.settled() ?? Promise.resolve(),
  machine: (spec, module, failed) =>
    new GuestMachine(
      spec,
      { failed, ...(shortOfMemory && { shortOfMemory }), ...(longSlice && { longSlice }) },
      { memory: reserve?.take(spec.memoryBytes), module, bindings },
    ),
  release: ({ shared }) => reserve?.giveBack(shared.memory),
  toucher: ({ shared }, touchedBytes) =>
    reserve?.holds(shared.memory) === true ? IDLE : new Toucher(shared.memory, touchedBytes),
  pages: (machine) => new ArrivingPages(machine),
  ways: (prepare, control) => pageWays(prepare, control, pageListen),
  receivers: (machine, ways, pass, events, agreed) =>
    new ReceiverPool(machine.shared, ways, pass, events, agreed),
  fetcher: (place, ways, pass, events) => new Fetcher(place, ways, pass, events),
});

/** What is reserved is touched. */
const IDLE: IncomingToucher = { close: () => Promise.resolve() };
