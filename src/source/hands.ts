// What an outgoing migration has of the outside: time, the network, its workers and its guest. Each is as narrow as its
// use, so that a simulation can stand in for it. Knows no state.
import { randomUUID } from 'node:crypto';
import { EmulatedLink, type EmulatedLinkEvents, type Emulation } from '../lab/emulated-link.js';
import type { MachineNotices } from '../shared/guest/machine-notices.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { Time } from '../shared/time.js';
import { hostTime } from '../shared/timers.js';
import { unclaimed } from '../shared/wire/message-connection.js';
import type { UnclaimedConnection } from '../shared/wire/control.js';
import { dialConnection } from '../shared/wire/dialling.js';
import { newTicket } from '../shared/wire/pass.js';
import { Sessions } from '../shared/wire/secure-socket.js';
import type { Security } from '../shared/wire/security.js';
import type { Address } from '../shared/wire/sockets.js';
import { Copiers, type CopierEvents } from './pages/copiers.js';
import type { LeavingGuest } from './release.js';
import { stepOutgoing } from './states/step.js';
import { TracerThread, type TracerEvents } from './tracer/tracer-thread.js';
import type { TraceMode } from './tracer/tracer.js';

/** The guest as its migration has it: who runs it is not the migration. */
export type MovedGuest = LeavingGuest &
  Pick<
    GuestMachine,
    | 'spec'
    | 'codeHash'
    | 'touchedBytes'
    | 'counters'
    | 'gapCounts'
    | 'watchGaps'
    | 'letDevicesGo'
    | 'prepareSampling'
    | 'startSampling'
    | 'stopSampling'
  > & { readonly notices: Pick<MachineNotices, 'isToBeAsked' | 'ask' | 'withdraw' | 'tellStayed'> };

export type Tracer = Pick<
  TracerThread,
  | 'open'
  | 'redial'
  | 'reconnect'
  | 'installTraces'
  | 'harvest'
  | 'switchOver'
  | 'removeTraces'
  | 'movedBytes'
  | 'bytes'
  | 'close'
>;

export type PageCopiers = Pick<
  Copiers,
  | 'start'
  | 'open'
  | 'redial'
  | 'reconnect'
  | 'copyRound'
  | 'stopRound'
  | 'isCopying'
  | 'progress'
  | 'movedBytes'
  | 'bytes'
  | 'close'
>;

export interface OutgoingHands {
  readonly time: Time;
  readonly guest: MovedGuest;
  /** Decides what each event leads to. */
  readonly step: typeof stepOutgoing;
  /** Different from all others, wherever they were made. */
  newId(): string;
  /** What nobody but the two sides of a migration may know. */
  newTicket(): string;
  dial(to: Address, timeoutMs: number): Promise<UnclaimedConnection>;
  /** `gate`: the shared word of the gate that stands before the hand-over. */
  tracer(mode: TraceMode, gate: SharedArrayBuffer, events: TracerEvents): Tracer;
  copiers(events: CopierEvents): PageCopiers;
  emulatedLink(emulation: Emulation, events: EmulatedLinkEvents): EmulatedLink;
}

/** This host's, for a guest that runs on it. */
export function hostHands(machine: GuestMachine, security: Security): OutgoingHands {
  const { shared } = machine;
  const sessions = new Sessions();
  return {
    time: hostTime,
    guest: machine,
    step: stepOutgoing,
    newId: randomUUID,
    newTicket,
    dial: async (to, timeoutMs) => unclaimed(await dialConnection(to, { timeoutMs, security, sessions })),
    tracer: (mode, gate, events) => new TracerThread(shared, mode, gate, events),
    copiers: (events) => new Copiers(shared, events),
    emulatedLink: (emulation, events) => new EmulatedLink(emulation, events),
  };
}
