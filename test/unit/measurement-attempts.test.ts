// What the report says of a guest that has been through attempts to migrate it which failed.
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import { describe, expect, it } from 'vitest';
import type { MachineCounters } from '../../src/shared/guest/machine-counters.js';
import { encodeBitmap } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import { Measurement } from '../../src/source/measurement/measurement.js';
import { reportOf } from '../../src/source/measurement/report.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';

const spec = {
  program: 'uniform',
  memoryBytes: PAGE_BYTES,
  vcpus: 1,
  seed: 1,
  writeRate: 1,
  hotSetBytes: 0,
  residentBytes: 0,
  devices: [],
};
const plan = {
  mode: 'hybrid',
  stunBudgetMs: 1,
  roundsMax: 1,
  timeLimitMs: 1,
  onTimeout: 'abort',
} as MigrationPlan;

const countersOf = (pageFires: number, traceStoppedUs: number, throttledUs: number): MachineCounters => ({
  slices: 1,
  work: 1,
  pageFires,
  longestGapUs: 0,
  longestSliceUs: 0,
  traceStoppedUs,
  longestTraceStopUs: 0,
  throttledUs,
  remoteFaults: 0,
  longestFaultUs: 0,
  faultBuckets: [],
  firstSliceAt: [1],
});

describe('the report of a migration', () => {
  it('says what tracing and throttling cost in it, and not in attempts before it', () => {
    const none = new Float64Array(0);
    const measurement = new Measurement(
      {
        trace: 'all-vcpus',
        bitmapLogic: 'compacted',
        connections: 1,
        bytesPerSecond: undefined,
        faultBytesPerSecond: undefined,
        pageChecks: true,
        emulation: undefined,
        security: THIS_HOST_ONLY,
      },
      plan,
      spec,
      { counters: countersOf(100, 5000, 700_000), gaps: none },
      () => 1,
    );
    const parked = { counters: countersOf(107, 7000, 703_000), gaps: none };
    measurement.noteClock({ sentAt: 10, answeredAt: 15, receivedAt: 20 });
    measurement.noteStopped({
      stopAt: 100,
      sentAt: 104,
      why: 'stun within budget',
      pagesFollow: true,
      before: parked.counters,
      last: {
        parkedAt: 101,
        harvestedAt: 102,
        compactedAt: 103,
        dirtyPages: 0,
        bitmap: encodeBitmap(new PageBitmap(1), 'compacted'),
        chunks: [],
      },
      lastSliceEndAt: [101],
      announced: null,
      dirty: { pageCount: 0, words: new Int32Array(0), regions: [] },
    });
    const message: MessageOf<'RESUMED'> = {
      name: 'RESUMED',
      receivedAt: 110,
      validationMs: 0,
      placementMs: 0,
      resumeMs: 0.001,
      answeredAt: 111,
      firstSliceAt: [111],
    };
    measurement.noteResumed({ message, receivedAt: 120, parked });
    const bytes = { control: 0, faults: 0, bitmap: 0, checkpoint: 0, sockets: 0, wire: 0, cuts: 1 };
    const { trace } = reportOf(measurement.measured(none, bytes));
    expect(trace).toMatchObject({ pageFires: 7, stoppedMs: 2, throttledMs: 3 });
  });
});
