// A guest that stays after a migration that failed: its traces and its throttle go, and it runs on if it was stopped.
// Knows the machine and the tracer; why the migration failed is not its business.
import type { GuestMachine } from '../shared/guest/machine.js';
import type { MachineNotices } from '../shared/guest/machine-notices.js';
import type { SafepointControl } from '../shared/memory/safepoint-control.js';
import type { TracerThread } from './tracer/tracer-thread.js';

/** The guest as far as it is told to run slower, to stop, and to run on. */
export interface LeavingGuest extends Pick<GuestMachine, 'isStopped' | 'isFailed' | 'park' | 'resume'> {
  readonly safepoints: Pick<SafepointControl, 'throttle' | 'endTraceWork'>;
  readonly notices: Pick<MachineNotices, 'tellStayed'>;
}

/** What became of the guest: it was never stopped, runs on after its clock stood still for so long, or has failed. */
export type Release =
  | { readonly kind: 'never stopped' }
  | { readonly kind: 'runs on'; readonly stoodStillMs: number }
  | { readonly kind: 'failed' };

const isSo = (): boolean => true;
const isNot = (): boolean => false;

/** Never rejects for what the guest does; a vCPU that hangs or has ended holds it up for the limit of a slice at most. */
export async function releaseGuest(
  machine: LeavingGuest,
  tracer: Pick<TracerThread, 'removeTraces'>,
): Promise<Release> {
  machine.safepoints.throttle(0);
  machine.safepoints.endTraceWork();
  // First: the tracer may be about to stop the guest, and stops it no more after this. The traces go while it runs, or
  // while it is parked.
  await tracer.removeTraces();
  const { isStopped } = machine;
  // One that cannot be parked is told to run all the same; its clock is then left alone.
  const isParked = isStopped && (await machine.park().then(isSo, isNot));
  // Before it runs on: the first that it hears is that it stays.
  machine.notices.tellStayed(isParked);
  if (machine.isFailed) return { kind: 'failed' };
  return isStopped ? { kind: 'runs on', stoodStillMs: await machine.resume() } : { kind: 'never stopped' };
}
