// The report of a migration: every field, what it may be, and what it means. Types, checks, the JSON Schema and
// docs/report.md come from here. Knows no migration; how a report is shown is text-report.ts's and html's.
import { z } from 'zod';
import { REPORT_VERSION } from './document.js';
import { guestCost, notice } from './guest-schema.js';
import { audit, verify } from './proof-schema.js';
import { count, exactly, fields, list, number, numberOr, pair, text, truth } from './schema-parts.js';

const process = (): z.ZodObject<{ pid: z.ZodInt; host: z.ZodString }> =>
  fields({ pid: count(), host: text().describe("its host's name") });

const histogram = list(
  fields({ belowUs: number(), count: count() }).describe(
    'counts what is below its bound and not below the one before',
  ),
);

const gaps = fields({
  count: count(),
  p50Us: number(),
  p99Us: number(),
  p999Us: number(),
  maxUs: number(),
  buckets: histogram.describe('half octaves, to be drawn'),
  hdr: text().describe(
    "all of it in HdrHistogram's compressed V2 form, base64, in nanoseconds: any HdrHistogram tool reads it",
  ),
}).nullable();

const timeline = fields({
  atMs: list(number()),
  pagesPerSecond: list(list(number())).describe('of each vCPU, since the instant before'),
  longestStallMs: list(list(number())).describe(
    'of each vCPU, between two slices or waiting for a page, in what ended since the instant before',
  ),
});

const guest = fields({
  program: text(),
  memoryBytes: count(),
  pageBytes: count(),
  vcpus: count(),
  seed: count(),
  writeRate: numberOr('max').describe('pages a second, or `max`'),
  hotSetBytes: count().describe('`--hot-set`: all that is written; 0: what the guest does by itself'),
  residentBytes: count().describe(
    '`--resident`: all of its memory that the guest ever touches; 0: all of it',
  ),
});

const settings = fields({
  bandwidthBytesPerSecond: number().nullable().describe('`null`: no limit'),
  faultBandwidthBytesPerSecond: number().nullable().describe('`null`: no limit'),
  pageChecks: truth().describe('whether the pages of each frame carried a check of their own'),
  stunBudgetMs: number(),
  roundsMax: count(),
  timeLimitMs: number(),
  onTimeout: text(),
  security: exactly('this-host', 'key', 'certificates', 'insecure').describe(
    'how the connections were protected: by TLS with a shared key or with certificates, or not at all, within one host or, `insecure`, beyond it',
  ),
});

const link = fields({
  emulated: exactly(true),
  delayMs: number().describe('added to each round trip, half of it each way'),
  cuts: list(fields({ atMs: number(), forMs: number() })).describe(
    'all connections were cut at these instants, and could not be made again for so long',
  ),
});

const round = fields({
  round: count(),
  stage: exactly('copy', 'last').describe(
    '`copy`: while the guest ran at the source; `last`: what was left then, within the stun or after it',
  ),
  dirtyPages: count().describe('pages that the round had to bring'),
  sentPages: count().describe('pages sent with their bytes'),
  zeroPages: count().describe('pages sent as a zero bit; with those sent, the dirty ones'),
  sentBytes: count(),
  durationMs: number(),
  forecast: fields({
    rounds: count().describe(
      'in all, this one and those before it included, without the last pages of a pre-copy',
    ),
    totalMs: number().describe('from the start of the migration until the guest runs at the destination'),
    stunMs: number(),
  })
    .nullable()
    .describe('made before the round, of the whole migration; `null` where nothing was known yet'),
  throttledShare: number().describe(
    'of its time that each vCPU was made to sleep while the round was copied; 0 where it was not throttled',
  ),
});

const stun = fields({
  stunMs: number().describe(
    "on the source's clock alone, from the stop request to the destination's answer, which is sent right before the vCPUs are told to run",
  ),
  guestGapMs: number().describe(
    "the guest's own view: the longest time that a vCPU stood still, source to destination",
  ),
  clockErrorMs: number().describe(
    "how far off the two hosts' clocks may be to each other: the error bound of `guestGapMs`",
  ),
  parts: fields({
    parkMs: number().describe('from the request until no vCPU is in a slice'),
    harvestMs: number().describe('the last harvest'),
    compactionMs: number().describe('encoding the bitmap'),
    sendMs: number().describe('taking the checkpoint and giving the hand-over to the socket'),
    networkMs: number().describe('on the wire, the hand-over and its answer'),
    validationMs: number().describe('decoding and checking the hand-over'),
    placementMs: number().describe('pre-copy: waiting for the remaining pages; else marking absent pages'),
    resumeMs: number().describe(
      'restoring registers and clock, until the answer is sent; first slices come after it, and are in `guestGapMs`',
    ),
  }).describe('in the order in which they pass; they add up to `stunMs`'),
});

const recovery = fields({
  verdict: exactly('recovered', 'not recovered', 'nothing to recover', 'not sampled').describe(
    '`not recovered`: not within `watchedMs`; `nothing to recover`: it wrote nothing before',
  ),
  recoveryMs: number()
    .nullable()
    .describe(
      'from the stop until the guest had run at 90 % of `guestCost.beforePagesPerSecond` for `windowMs`; off by a sample and `stun.clockErrorMs` at the most',
    ),
  windowMs: number().describe('10, or as long as each vCPU took before for ten writes, if that is longer'),
  watchedMs: number()
    .nullable()
    .describe('from the stop to the last sample at the destination; `null` without samples'),
});

const trace = fields({
  mode: text(),
  installMs: number(),
  longestVcpuPauseMs: number().describe(
    'the longest time between two slices of any vCPU that was neither asked-for sleep nor the stun',
  ),
  pageFires: count(),
  stoppedMs: number().describe(
    'all-vcpus: how long the vCPUs stood still for trace work, all of them together',
  ),
  longestStopMs: number().describe('the longest of one'),
  throttledMs: number().describe('sleep that the throttle imposed, all vCPUs together'),
});

const bitmap = fields({
  format: exactly('ahead', 'compacted', 'raw').describe(
    '`ahead`: what was known before the stun went ahead of it, compacted, and only what was dirtied since crossed in it',
  ),
  rawBytes: count().describe('of a bitmap of all pages that `guest.memoryBytes` has'),
  sentBytes: count().describe('of the bitmap that crossed within the stun'),
  ahead: fields({
    pages: count().describe('pages that were announced'),
    bytes: count().describe('of their bitmap'),
    durationMs: number().describe(
      'from its encoding until the destination had marked them; the guest ran meanwhile',
    ),
  })
    .nullable()
    .describe('`null` where nothing went ahead'),
  dirtyRegions: list(pair(count(), count()))
    .refine((pairs) => pairs.every(([region], at) => at === 0 || region > pairs[at - 1]![0]), {
      error: 'a list in ascending order',
    })
    .describe(
      'pairs of a region, which is a guest address divided by 2 MiB, and its dirty pages, as the bitmap had them at the switch-over; ascending, without clean regions',
    ),
});

const timelines = fields({
  phases: list(fields({ name: text(), fromMs: number(), toMs: number() })),
  source: timeline.describe('begins before the migration does, at negative instants; a row every 5 ms'),
  destination: timeline.describe(
    'shifted by the measured clock offset; a row a millisecond for the first 0.2 s, then every 5 ms; without an audit what was told on the way, every 50 ms then, until the source was done',
  ),
});

const bytes = fields({
  firstCopy: count(),
  resend: count(),
  regionHeads: count().describe('which pages follow, and which are zero'),
  bitmap: count(),
  checkpoint: count(),
  faults: count(),
  hashes: count().describe('of all pages, for `--verify`'),
  control: count(),
  total: count().describe('the sum of those before it'),
  sockets: count().describe('what the sockets counted, before it was encrypted and after it was decrypted'),
  encryption: count().describe('what TLS adds: handshakes, and the head and the seal of each record'),
  wire: count().describe("what the operating system's TCP sockets counted: `sockets` and `encryption`"),
});

const postcopy = fields({
  remotePageFaults: count(),
  fetchedPages: count().describe(
    'pages that came on the fault connection: those that a fault asked for, and those that went ahead of the push',
  ),
  pushedPages: count().describe('pages that the push brought; together those that were lacking'),
  durationMs: number(),
  faultLatencyUs: fields({ p50: number(), p99: number(), max: number() }).describe(
    'how long a vCPU waited for a page; quantiles to half an octave',
  ),
  histogram,
});

const times = fields({
  preparationMs: number().describe('connecting, what the destination prepares, comparing the clocks'),
  copyingMs: number().describe('installing traces, rounds and harvests, while the guest runs'),
  switchOverMs: number().describe(
    'from the decision to stop the guest until it was known to run at the destination',
  ),
  pushMs: number().nullable().describe('after that, until every page had arrived; `null` when none followed'),
});

/** What `--json` prints of a migration that went well, as the source saw it. */
export const migrationReport = fields({
  version: exactly(REPORT_VERSION).describe('of the document'),
  outcome: exactly('completed'),
  mode: text(),
  guest,
  connections: count(),
  settings: settings.describe('what was asked for, besides what has a field of its own'),
  link: link.nullable().describe('the emulated network; `null`: the real one'),
  switchOverReason: text().describe(
    '`stun within budget`, `network beyond budget`, `round limit`, `local minimum`, `no progress`, `time limit`, `throttle not enough` or `post-copy`',
  ),
  rounds: list(round),
  forecastStunMs: number()
    .nullable()
    .describe(
      'the forecast when the switch-over was decided, of the way that was taken: with the remaining pages only where the stun copies them; `null` in a post-copy',
    ),
  stun,
  recovery: recovery.describe('when the guest ran again as it had before the migration'),
  trace,
  bitmap,
  timeline: timelines.describe(
    'the guest on both hosts and the phases, on one clock: ms since the migration began',
  ),
  bytes: bytes.describe('by what they were for, both directions'),
  postcopy: postcopy
    .nullable()
    .describe('between the resume and the arrival of the last page; `null` when no pages followed'),
  cuts: count().describe('how often a connection was cut and made again'),
  totalMs: number().describe('from the start until the source knew that the guest runs at the destination'),
  times: times.describe('what the time went to; the first three add up to `totalMs`'),
  gaps: fields({ before: gaps, during: gaps, after: gaps }).describe(
    'between two slices, all vCPUs together, the stun aside, and of a sleep only how late it ended: before the migration, until the stun, and after it; `null` where nothing was counted, `after` also without an audit',
  ),
  guestCost: guestCost.describe('what the rounds cost the guest'),
  notice: notice
    .nullable()
    .describe(
      'what the guest answered when it was asked before its stop (`beforeMigration`); `null` where it has no say, or is not asked (`--guest-notice 0s`)',
    ),
  audit: audit.nullable().describe('`null` when none was asked for'),
  verify: verify
    .nullable()
    .describe(
      'what came, compared with what the source had at the hand-over (`--verify`); `null` when that was not asked for',
    ),
  source: process(),
  destination: process(),
});

/** What is printed instead when a migration failed. */
export const failureReport = fields({
  version: exactly(REPORT_VERSION).describe('of the document'),
  outcome: exactly('failed'),
  phase: text().describe('in which it failed; `starting`: before there was a migration'),
  error: fields({ code: text(), message: text() }),
  owner: text().describe(
    'who owns the guest now: `source`, `destination`, `in doubt`, `lost`; `nobody` before there was a migration',
  ),
  safeNext: text().describe('what is safe to do next, in words'),
  source: process(),
});

/** The documents that this file describes, for JSON Schema. */
export const reportDocument = z.union([migrationReport, failureReport]);
