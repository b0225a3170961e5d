// A report of a completed migration with something in every part of it, for whatever reads or draws one.
import type { MigrationReport } from '../../src/shared/report/report.js';

export const fixtureReport: MigrationReport = {
  version: 2,
  outcome: 'completed',
  mode: 'hybrid',
  guest: {
    program: 'hot-set',
    memoryBytes: 268_435_456,
    pageBytes: 4096,
    vcpus: 2,
    seed: 7,
    writeRate: 100_000,
  },
  connections: 2,
  settings: {
    bandwidthBytesPerSecond: null,
    faultBandwidthBytesPerSecond: 12_500_000,
    stunBudgetMs: 10,
    roundsMax: 30,
    timeLimitMs: 300_000,
    onTimeout: 'post-copy',
  },
  link: { emulated: true, delayMs: 12, cuts: [{ atMs: 400, forMs: 25 }] },
  switchOverReason: 'stun within budget',
  rounds: [
    {
      round: 0,
      dirtyPages: 65_536,
      sentPages: 61_745,
      zeroPages: 3791,
      sentBytes: 252_926_504,
      durationMs: 811.25,
      stage: 'copy',
      forecast: null,
      throttledShare: 0,
    },
    {
      round: 1,
      stage: 'copy',
      dirtyPages: 4951,
      sentPages: 4951,
      zeroPages: 0,
      sentBytes: 20_288_000,
      durationMs: 68.5,
      forecast: { rounds: 3, totalMs: 1010.5, stunMs: 3.25 },
      throttledShare: 0.125,
    },
    {
      round: 2,
      stage: 'last',
      dirtyPages: 1167,
      sentPages: 1158,
      zeroPages: 0,
      sentBytes: 4_746_000,
      durationMs: 36.125,
      forecast: null,
      throttledShare: 0,
    },
  ],
  forecastStunMs: 6.83,
  stun: {
    stunMs: 7.875,
    guestGapMs: 4.8288,
    clockErrorMs: 0.376,
    parts: {
      parkMs: 0.211,
      harvestMs: 0.124,
      compactionMs: 0.0367,
      sendMs: 0.5623,
      networkMs: 1.95,
      validationMs: 1.643,
      placementMs: 0.388,
      resumeMs: 2.96,
    },
  },
  trace: {
    mode: 'dedicated',
    installMs: 0.143,
    longestVcpuPauseMs: 0.0643,
    pageFires: 33_669,
    stoppedMs: 0,
    longestStopMs: 0,
    throttledMs: 12.5,
  },
  bitmap: {
    format: 'compacted',
    rawBytes: 8197,
    sentBytes: 2153,
    dirtyPerRegion: Array.from({ length: 128 }, (_, region) =>
      region >= 40 && region < 52 ? 90 : region % 3 === 0 ? 2 : 0,
    ),
  },
  timeline: {
    phases: [
      { name: 'preparing', fromMs: 0, toMs: 40 },
      { name: 'copying', fromMs: 40, toMs: 900 },
      { name: 'harvesting', fromMs: 900, toMs: 906 },
      { name: 'copying', fromMs: 906, toMs: 980 },
      { name: 'stopping', fromMs: 980, toMs: 981 },
      { name: 'handing-over', fromMs: 981, toMs: 988 },
      { name: 'pushing', fromMs: 988, toMs: 1060 },
    ],
    source: {
      atMs: Array.from({ length: 98 }, (_, at) => 10 * at),
      pagesPerSecond: [0, 1].map((vcpu) =>
        Array.from({ length: 98 }, (_, at) =>
          at > 4 && at < 90 ? 41_000 + 450 * ((at + vcpu) % 7) : 50_000,
        ),
      ),
      longestStallMs: [0, 1].map((vcpu) => Array.from({ length: 98 }, (_, at) => 0.01 * ((at + vcpu) % 5))),
    },
    destination: {
      atMs: Array.from({ length: 20 }, (_, at) => 990.5 + 10 * at),
      pagesPerSecond: [0, 1].map(() => Array.from({ length: 20 }, (_, at) => 30_000 + 1000 * at)),
      longestStallMs: [0, 1].map(() => Array.from({ length: 20 }, (_, at) => (at < 3 ? 2.5 : 0.02))),
    },
  },
  bytes: {
    firstCopy: 252_907_520,
    resend: 25_023_000,
    windowHeads: 188_280,
    bitmap: 2153,
    checkpoint: 605,
    faults: 49_632,
    control: 4417,
    total: 278_175_607,
    sockets: 278_175_607,
  },
  postcopy: {
    remotePageFaults: 12,
    fetchedPages: 9,
    pushedPages: 1158,
    durationMs: 74.03,
    faultLatencyUs: { p50: 2896.3, p99: 6870, max: 6871.5 },
    histogram: [
      { belowUs: 2 ** 9.5, count: 1 },
      { belowUs: 2 ** 10, count: 2 },
      { belowUs: 2 ** 11.5, count: 7 },
      { belowUs: 2 ** 13, count: 2 },
    ],
  },
  cuts: 0,
  totalMs: 988.4,
  gaps: {
    before: {
      count: 20_000,
      p50Us: 1.5,
      p99Us: 11,
      p999Us: 30.5,
      maxUs: 61,
      buckets: [{ belowUs: 16, count: 20_000 }],
      hdr: 'HISTFAAA',
    },
    during: {
      count: 41_903,
      p50Us: 2,
      p99Us: 18,
      p999Us: 44,
      maxUs: 63,
      buckets: [
        { belowUs: 16, count: 41_000 },
        { belowUs: 32, count: 900 },
        { belowUs: 64, count: 3 },
      ],
      hdr: 'HISTFAAB',
    },
    after: {
      count: 6102,
      p50Us: 1.75,
      p99Us: 15,
      p999Us: 2100,
      maxUs: 4000,
      buckets: [
        { belowUs: 16, count: 6100 },
        { belowUs: 4096, count: 2 },
      ],
      hdr: 'HISTFAAC',
    },
  },
  guestCost: {
    beforePagesPerSecond: 100_000,
    duringPagesPerSecond: 86_500,
    lostShare: 0.135,
    longestStallBeforeStunMs: 0.0643,
    longestStallAfterStunMs: 6.8715,
  },
  audit: { passed: true, checked: 65_536, failed: 0, findings: [] },
  source: { pid: 4101 },
  destination: { pid: 4117 },
};

/** What stands at `field`, such as "rounds.1.sentPages", in a report. */
export function fieldOf(report: unknown, field: string): unknown {
  return field
    .split('.')
    .reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>>)[name], report);
}
