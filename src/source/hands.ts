// What an outgoing migration has of the outside: time, the network, its workers and its guest. Each is as narrow as its
// use, so that a simulation can stand in for it. Knows no state.
import { randomUUID } from 'node:crypto';
import { EmulatedLink, type EmulatedLinkEvents, type Emulation } from '../lab/emulated-link.js';
import type { MicrostunError } from '../shared/errors.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { Time } from '../shared/time.js';
import { hostTime } from '../shared/timers.js';
import { unclaimed } from '../shared/wire/message-connection.js';
import type { UnclaimedConnection } from '../shared/wire/control.js';
import { dialConnection } from '../shared/wire/connection.js';
import type { Address } from '../shared/wire/sockets.js';
import { PageServer, type PageServerEvents } from './faults/page-server.js';
import { Copiers, type CopierEvents } from './pages/copiers.js';
import { SwitchOverRehearsal } from './rehearsal.js';
import type { LeavingGuest } from './release.js';
import type { MigrationPlan } from './states/plan.js';
import { stepOutgoing } from './states/step.js';
import { TracerThread } from './tracer/tracer-thread.js';
import type { TraceMode } from './tracer/tracer.js';

/** The guest as its migration has it: who runs it is not the migration. */
export type MovedGuest = LeavingGuest &
  Pick<
    GuestMachine,
    | 'spec'
    | 'counters'
    | 'gapCounts'
    | 'watchGaps'
    | 'lastSliceEndAt'
    | 'stop'
    | 'checkpoint'
    | 'prepareSampling'
    | 'startSampling'
    | 'stopSampling'
  >;

export type Tracer = Pick<TracerThread, 'installTraces' | 'harvest' | 'takeLast' | 'removeTraces' | 'close'>;

export type PageCopiers = Pick<
  Copiers,
  'start' | 'copyRound' | 'stopRound' | 'isCopying' | 'progress' | 'movedBytes' | 'bytes' | 'close'
>;

export type FaultServer = Pick<PageServer, 'start' | 'noteHandedOver' | 'movedBytes' | 'bytes' | 'close'>;

export type Rehearsal = Pick<SwitchOverRehearsal, 'rehearse' | 'refresh'>;

export interface OutgoingHands {
  readonly time: Time;
  readonly guest: MovedGuest;
  /** Decides what each event leads to. */
  readonly step: typeof stepOutgoing;
  /** Different from all others, wherever they were made. */
  newId(): string;
  dial(to: Address, timeoutMs: number): Promise<UnclaimedConnection>;
  tracer(mode: TraceMode, failed: (error: MicrostunError) => void): Tracer;
  copiers(events: CopierEvents): PageCopiers;
  pageServer(events: PageServerEvents): FaultServer;
  rehearsal(plan: MigrationPlan): Rehearsal;
  emulatedLink(emulation: Emulation, events: EmulatedLinkEvents): EmulatedLink;
}

/** This host's, for a guest that runs on it. */
export function hostHands(machine: GuestMachine): OutgoingHands {
  const { shared, spec } = machine;
  return {
    time: hostTime,
    guest: machine,
    step: stepOutgoing,
    newId: randomUUID,
    dial: async (to, timeoutMs) => unclaimed(await dialConnection(to, timeoutMs)),
    tracer: (mode, failed) => new TracerThread(shared, mode, failed),
    copiers: (events) => new Copiers(shared, events),
    pageServer: (events) => new PageServer(shared, events),
    rehearsal: (plan) => new SwitchOverRehearsal(plan, spec),
    emulatedLink: (emulation, events) => new EmulatedLink(emulation, events),
  };
}
