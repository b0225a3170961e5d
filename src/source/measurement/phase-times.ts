// What the time of a migration went to, from the beginnings of its phases.
// Pure; instants are `monotonicUs`.
import type { TimesReport } from '../../report/document.js';

export interface PhaseBegin {
  readonly name: string;
  readonly fromUs: number;
}

/**
 * From `beganUs` until the guest was known to run at the destination, cut where work on the guest begins and where it is
 * stopped; and the push after that, which is over when the next phase begins.
 */
export function timesOf(phases: readonly PhaseBegin[], beganUs: number, resumedUs: number): TimesReport {
  const fromOf = (name: string): number | undefined =>
    phases.find((phase) => phase.name === name && phase.fromUs <= resumedUs)?.fromUs;
  const stopUs = fromOf('stopping') ?? resumedUs;
  const copyUs = fromOf('installing-traces') ?? stopUs;
  const push = phases.findIndex(({ name }) => name === 'pushing');
  const pushedUs = push < 0 ? undefined : phases[push + 1]?.fromUs;
  return {
    preparationMs: (copyUs - beganUs) / 1000,
    copyingMs: (stopUs - copyUs) / 1000,
    switchOverMs: (resumedUs - stopUs) / 1000,
    pushMs: pushedUs === undefined ? null : (pushedUs - phases[push]!.fromUs) / 1000,
  };
}
