// Entry of the dedicated tracer's worker: installs traces and harvests, one request at a time, and owns the switch-over:
// it parks the guest, hands it over on the fault connection, and answers remote page faults after.
// Nobody imports this file; tracer-thread.ts starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../../shared/clock.js';
import {
  assert,
  asMicrostunError,
  MicrostunError,
  unreachable,
  type ErrorCode,
} from '../../shared/errors.js';
import { guestErrorOf } from '../../shared/guest/safepoint-trouble.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import { HandOverGate } from '../../shared/memory/hand-over-gate.js';
import { viewMemory } from '../../shared/memory/layout.js';
import type { PageNumber } from '../../shared/memory/pages.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { looksFor } from '../../shared/spare-cores.js';
import { rehearse } from '../../shared/rehearse.js';
import type { Cancellable } from '../../shared/time.js';
import { after } from '../../shared/timers.js';
import { HANDED_OVER_QUIET_MS, PAGES_AHEAD_MAX } from '../../shared/limits.js';
import type { FaultBytes } from '../faults/fault-ledger.js';
import { FaultLine, type FaultLineOptions } from '../faults/fault-line.js';
import { pagesAhead } from './pages-ahead.js';
import { SwitchOverRehearsal } from '../rehearsal.js';
import { Departure, type Departed, type SwitchOver } from './departure.js';
import { Tracer, type Harvest, type TraceMode } from './tracer.js';

export interface TracerWorkerData {
  readonly machine: SharedMachine;
  readonly mode: TraceMode;
  /** One word; once it is not 0, nobody needs an answer that must wait for the vCPUs. */
  readonly giveUp: SharedArrayBuffer;
  /** The gate that stands before the hand-over. */
  readonly gate: SharedArrayBuffer;
  /** One double that only this worker writes: bytes of requests for pages, and of answers, so far. */
  readonly progress: SharedArrayBuffer;
}

export type TracerRequest =
  | { readonly kind: 'open'; readonly options: FaultLineOptions }
  /** The fault connection is dialled anew. Not answered. */
  | { readonly kind: 'renew' }
  | { readonly kind: 'install' }
  | { readonly kind: 'harvest'; readonly keepsRest: boolean }
  | { readonly kind: 'remove' }
  /** Answered by `departed` or `stayed`, whatever else is asked meanwhile. */
  | { readonly kind: 'switch-over'; readonly how: SwitchOver }
  | { readonly kind: 'exit' };

/** What is answered in the order of asking. */
export type TracerAnswer =
  | { readonly kind: 'open'; readonly port: number }
  | { readonly kind: 'installed'; readonly installed: Harvest }
  | { readonly kind: 'harvested'; readonly harvest: Harvest }
  | { readonly kind: 'removed' }
  /** What was asked could not be done: a vCPU has ended or hangs, or the wait for it was given up. */
  | Failed<'failed'>;

export type TracerMessage =
  | TracerAnswer
  | { readonly kind: 'departed'; readonly departed: Departed }
  | Failed<'stayed'>
  /** `at`: `monotonicUs`. */
  | { readonly kind: 'taken-over'; readonly at: number }
  | Failed<'lost'>
  | { readonly kind: 'ended'; readonly bytes: FaultBytes & { readonly cuts: number } };

interface Failed<Kind extends string> {
  readonly kind: Kind;
  readonly code: ErrorCode;
  readonly reason: string;
}

const port = parentPort;
assert(port !== null, 'tracer-worker.ts runs as a worker');
const own = workerData as TracerWorkerData;
const { machine } = own;
const safepoints = new SafepointControl(machine.safepointWords, {
  giveUp: new Int32Array(own.giveUp),
  looks: looksFor(1),
});
const tracer = new Tracer(machine.memory, safepoints, own.mode);
const tell = (message: TracerMessage): void => {
  port.postMessage(message);
};
const failed = <Kind extends string>(kind: Kind, error: MicrostunError): Failed<Kind> => {
  return { kind, code: error.code, reason: error.message };
};

const views = viewMemory(machine.memory);
const line = new FaultLine(views, new Float64Array(own.progress), {
  connected: () => {
    departure.connected();
  },
  announced: (number) => {
    departure.announced(number);
  },
  takenOver: () => {
    const at = monotonicUs();
    departure.takenOver();
    // Whoever is connected to it finds it at the destination from now on.
    safepoints.letDevicesGo();
    tellDeparted();
    tell({ kind: 'taken-over', at });
  },
  lost: (error) => {
    tell(failed('lost', error));
  },
});

const ahead = (lackingPages: number, pagesMax: number): PageNumber[] =>
  pagesAhead(machine.spec, views, tracer.dirty, lackingPages, pagesMax);

const departure = new Departure({
  machine,
  regions: views.regions,
  safepoints,
  tracer,
  gate: new HandOverGate(own.gate),
  line,
  ahead,
  departed: (departed) => {
    untold = departed;
    // The main thread has nothing to do before the answer, except for what is in the stun.
    if (departed.pagesFollow) quiet = after(HANDED_OVER_QUIET_MS, tellDeparted);
    else tellDeparted();
  },
  stayed: (error) => {
    tell(failed('stayed', error === undefined ? STAYS : ourErrorOf(error)));
  },
});

let untold: Departed | undefined;
let quiet: Cancellable | undefined;

function tellDeparted(): void {
  quiet?.cancel();
  if (untold !== undefined) tell({ kind: 'departed', departed: untold });
  untold = undefined;
}

const STAYS = new MicrostunError('CANCELLED', 'the guest is not to leave any more');

const rehearsal = new SwitchOverRehearsal(machine.spec);
let isLeaving = false;
void rehearse(
  () => {
    rehearsal.turn();
    ahead(Infinity, PAGES_AHEAD_MAX);
  },
  () => isLeaving,
);

port.on('message', (request: TracerRequest) => {
  switch (request.kind) {
    case 'exit':
      tellDeparted();
      line.close();
      tell({ kind: 'ended', bytes: line.bytes });
      port.close();
      return;
    case 'switch-over':
      isLeaving = true;
      departure.begin(request.how);
      return;
    case 'renew':
      line.renew();
      return;
    case 'open':
      line.open(request.options).then(
        (openPort) => {
          tell({ kind: 'open', port: openPort });
        },
        (error: unknown) => {
          tell(failed('failed', asMicrostunError(error, 'LISTEN_FAILED')));
        },
      );
      return;
    default:
      tell(answerOrFailure(request));
  }
});

type TracerWork = Extract<TracerRequest, { kind: 'install' | 'harvest' | 'remove' }>;

function answerOrFailure(request: TracerWork): TracerAnswer {
  try {
    return answer(request);
  } catch (thrown) {
    return failed('failed', ourErrorOf(thrown));
  }
}

function answer(request: TracerWork): TracerAnswer {
  switch (request.kind) {
    case 'install':
      return tellingRegions({ kind: 'installed', installed: tracer.installTraces() });
    case 'harvest':
      // The switch-over may come next, and its code should not be cold by then.
      rehearsal.refresh();
      return tellingRegions({ kind: 'harvested', harvest: tracer.harvest(request.keepsRest) });
    case 'remove':
      tellDeparted();
      departure.end();
      tracer.removeTraces();
      return { kind: 'removed' };
    default:
      return unreachable(request);
  }
}

// Outside of the stun, as far as it can be: the stun is left with those that were touched last.
function tellingRegions(done: TracerAnswer): TracerAnswer {
  departure.tellRegions();
  return done;
}

// What the vCPUs did is the guest's failure; anything else is a fault of ours, and ends the worker.
function ourErrorOf(thrown: unknown): MicrostunError {
  const error = guestErrorOf(thrown);
  if (!(error instanceof MicrostunError)) throw error;
  return error;
}
