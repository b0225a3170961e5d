// What a migration cost the guest, on both hosts: its throughput over time, its gaps between slices, what it lost.
// Pure.
import { countsOf } from '../../shared/guest/gap-buckets.js';
import { sampleStride, timelineOf } from '../../shared/guest/samples.js';
import { areSensible } from '../../shared/guest/told-samples.js';
import type { GapsReport, GuestCostReport, RecoveryReport, TimelineReport } from '../../report/document.js';
import { countsSince, gapHistogramOf } from '../../report/gap-histogram.js';
import { lossOf } from '../../report/throughput-loss.js';
import type { Measured } from './measurement.js';
import { recoveryOf } from './recovery.js';

/** The guest's throughput before the migration is the mean of so long. */
const BEFORE_MS = 1000;

export function timelineReportOf(measured: Measured): TimelineReport {
  const { beganAt, clock, guest, phases, samples } = measured;
  const toMs = (us: number): number => (us - beganAt) / 1000;
  return {
    phases: phases.slice(0, -1).map(({ name, fromUs }, index) => ({
      name,
      fromMs: toMs(fromUs),
      toMs: toMs(phases[index + 1]!.fromUs),
    })),
    source: timelineOf(samples, guest.vcpus, beganAt),
    destination: timelineOf(destinationSamplesOf(measured), guest.vcpus, beganAt + clock.offsetUs),
  };
}

// Those that come with an audit are finer than those that were told on the way.
function destinationSamplesOf({ audit, guest, toldSamples }: Measured): Float64Array {
  const samples = audit?.samples;
  return samples !== undefined && samples.length > 0 && areSensible(samples, guest.vcpus)
    ? samples
    : toldSamples;
}

export function gapsReportOf({ atBeginning, resumed, audit }: Measured): GapsReport {
  // A peer's counts that make no sense are none.
  const after = audit && countsOf(audit.gaps);
  return {
    before: gapHistogramOf(atBeginning.gaps),
    during: gapHistogramOf(countsSince(atBeginning.gaps, resumed.parked.gaps)),
    after: after === undefined ? null : gapHistogramOf(after),
  };
}

export function guestCostReportOf(measured: Measured, { phases, source }: TimelineReport): GuestCostReport {
  const { stopped, audit } = measured;
  const tracedMs = phases.find(({ name }) => name === 'installing-traces')?.fromMs;
  const stoppedMs = phases.find(({ name }) => name === 'stopping')?.fromMs ?? 0;
  return {
    ...lossOf(
      source,
      { fromMs: -BEFORE_MS, toMs: 0 },
      tracedMs === undefined ? undefined : { fromMs: tracedMs, toMs: stoppedMs },
    ),
    longestSliceMs: measured.resumed.parked.counters.longestSliceUs / 1000,
    longestStallBeforeStunMs: stopped.before.longestGapUs / 1000,
    longestStallAfterStunMs:
      audit === undefined
        ? longestStallMsOf(measured.toldSamples, measured.guest.vcpus)
        : audit.longestStallUs / 1000,
  };
}

// By what was told of it.
function longestStallMsOf(samples: Float64Array, vcpus: number): number | null {
  if (samples.length === 0) return null;
  const isStall = (at: number): boolean => {
    const column = at % sampleStride(vcpus);
    return column > 0 && column % 2 === 0;
  };
  return samples.reduce((longest, value, at) => (isStall(at) ? Math.max(longest, value) : longest), 0) / 1000;
}

export function recoveryReportOf(
  measured: Measured,
  { beforePagesPerSecond }: Pick<GuestCostReport, 'beforePagesPerSecond'>,
): RecoveryReport {
  const { guest, stopped, resumed, clock } = measured;
  return recoveryOf({
    beforePagesPerSecond,
    vcpus: guest.vcpus,
    stopAtUs: stopped.stopAt,
    firstSliceAtUs: resumed.message.firstSliceAt,
    aheadUs: clock.offsetUs,
    samples: destinationSamplesOf(measured),
  });
}
