// What a comparison compares: every figure with its name, its unit and where it stands in a report.
// Knows one report at a time; medians over several are comparison.ts's.
import type { MigrationReport } from '../document.js';
import { stunPartKeys, stunPartNames } from '../stun-parts.js';
import { measurableLoss } from '../throughput-loss.js';

/** What a value counts; `share` is of a whole, 1 being all of it. */
export type Unit = 'ms' | 'bytes' | 'share' | 'count';

export interface Metric {
  readonly id: string;
  /** At most 28 characters with the indent of a part: the table in the terminal has no more. */
  readonly name: string;
  readonly unit: Unit;
  /** A part of what stands above it, or a sum of its parts. */
  readonly isPart: boolean;
  /** null where the run did not measure it. */
  readonly of: (report: MigrationReport) => number | null;
}

/** Parts of the stun that are neither the network nor the wait for pages: what this program itself costs. */
function ownStunMs({ stun: { parts } }: MigrationReport): number {
  return (
    parts.parkMs + parts.harvestMs + parts.compactionMs + parts.sendMs + parts.validationMs + parts.resumeMs
  );
}

const whole = (
  id: string,
  name: string,
  unit: Unit,
  of: (report: MigrationReport) => number | null,
): Metric => ({ id, name, unit, isPart: false, of });

const part = (id: string, name: string, of: (report: MigrationReport) => number): Metric => ({
  id,
  name,
  unit: 'ms',
  isPart: true,
  of,
});

/** In the order in which they are shown. */
export const metrics: readonly Metric[] = [
  whole('guestGapMs', 'guest stood still', 'ms', ({ stun }) => stun.guestGapMs),
  whole('recoveryMs', 'recovery', 'ms', ({ recovery }) => recovery.recoveryMs),
  whole(
    'longestStallAfterMs',
    'longest stall after',
    'ms',
    ({ guestCost }) => guestCost.longestStallAfterStunMs,
  ),
  whole('stunMs', 'stop to answer', 'ms', ({ stun }) => stun.stunMs),
  ...stunPartKeys.map((key) => part(key, stunPartNames[key], ({ stun }) => stun.parts[key])),
  part('ownMs', 'all but network and place', ownStunMs),
  whole('installMs', 'install traces', 'ms', ({ trace }) => trace.installMs),
  whole('longestTraceStopMs', 'longest stop to trace', 'ms', ({ trace }) => trace.longestStopMs),
  whole(
    'traceStopPerVcpuMs',
    'stopped to trace, a vCPU',
    'ms',
    ({ trace, guest }) => trace.stoppedMs / guest.vcpus,
  ),
  whole(
    'longestStallBeforeMs',
    'longest stall before stun',
    'ms',
    ({ guestCost }) => guestCost.longestStallBeforeStunMs,
  ),
  whole('lostShare', 'guest throughput lost', 'share', ({ guestCost }) => measurableLoss(guestCost)),
  whole('throttledMs', 'throttled, all vCPUs', 'ms', ({ trace }) => trace.throttledMs),
  whole('bitmapBytes', 'bitmap in the stun', 'bytes', ({ bitmap }) => bitmap.sentBytes),
  whole(
    'bitmapMs',
    'bitmap: encode, validate',
    'ms',
    ({ stun: { parts } }) => parts.compactionMs + parts.validationMs,
  ),
  whole('wireBytes', 'bytes on the wire', 'bytes', ({ bytes }) => bytes.total),
  whole('rounds', 'rounds', 'count', ({ rounds }) => rounds.filter(({ stage }) => stage === 'copy').length),
  whole('totalMs', 'total time', 'ms', ({ totalMs }) => totalMs),
  part('preparationMs', 'preparation', ({ times }) => times.preparationMs),
  part('copyingMs', 'copying', ({ times }) => times.copyingMs),
  part('switchOverMs', 'switch-over', ({ times }) => times.switchOverMs),
  whole('pushMs', 'push, after it', 'ms', ({ times }) => times.pushMs),
];
