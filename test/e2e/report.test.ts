// The report of a migration: every documented field, and the sums and bounds that must hold between them.
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { reportText, type MigrationReport } from '../../src/report/document.js';
import { endAll, reportOf, runCli, runNpm, small, type Ended } from '../support/cli.js';

const PAGES = 4097;
const RAW_BITMAP_BYTES_MIN = Math.ceil(PAGES / 8);

async function demo(...args: readonly string[]): Promise<{ report: MigrationReport; ended: Ended }> {
  const ended = await runCli('demo', '--json', ...small(PAGES), ...args);
  return { report: reportOf(ended), ended };
}

const number = expect.any(Number) as number;
const text = expect.any(String) as string;

const documented = {
  outcome: 'completed',
  guest: { program: text, memoryBytes: PAGES * 4096, pageBytes: 4096, vcpus: number, seed: number },
  stun: {
    stunMs: number,
    guestGapMs: number,
    clockErrorMs: number,
    parts: {
      parkMs: number,
      harvestMs: number,
      compactionMs: number,
      sendMs: number,
      networkMs: number,
      validationMs: number,
      placementMs: number,
      resumeMs: number,
    },
  },
  trace: { mode: 'dedicated', installMs: number, longestVcpuPauseMs: number, pageFires: number },
  bitmap: { format: text, rawBytes: number, sentBytes: number },
  bytes: { total: number },
  totalMs: number,
  times: { preparationMs: number, copyingMs: number, switchOverMs: number },
  audit: { passed: true, checked: PAGES },
  settings: { stunBudgetMs: 10, roundsMax: 30, onTimeout: 'post-copy', bandwidthBytesPerSecond: null },
  link: null,
  source: { pid: number },
  destination: { pid: number },
};

/** A field that may be null. */
const anything = expect.toSatisfy(() => true) as null;

const sumOf = (rows: object): number =>
  Object.values(rows).reduce<number>((total, value) => total + (value as number), 0);

afterEach(endAll);

describe.each(['hybrid', 'pre-copy', 'post-copy'])('the JSON report of a %s migration', (mode) => {
  let report: MigrationReport;
  let ended: Ended;

  beforeAll(async () => {
    ({ report, ended } = await demo('--mode', mode, '--vcpus', '3', '--seed', '42', '--write-rate', '20k'));
  });

  it('has every documented field', () => {
    expect(report).toMatchObject({ ...documented, mode });
    expect(report.guest).toMatchObject({ program: 'hot-set', vcpus: 3, seed: 42, writeRate: 20_000 });
    expect(Object.keys(report.stun.parts)).toEqual(Object.keys(documented.stun.parts));
    expect(report.rounds.length).toBeGreaterThan(0);
    for (const round of report.rounds) {
      expect(round).toEqual({
        round: number,
        dirtyPages: number,
        sentPages: number,
        zeroPages: number,
        sentBytes: number,
        durationMs: number,
        stage: expect.stringMatching(/^(copy|last)$/) as string,
        forecast: anything,
        throttledShare: 0,
      });
    }
  });

  it('has a post-copy part exactly when pages followed the guest', () => {
    if (mode === 'pre-copy') {
      expect(report.postcopy).toBeNull();
      return;
    }
    expect(report.postcopy).toMatchObject({
      remotePageFaults: number,
      faultLatencyUs: { p50: number, p99: number, max: number },
      pushedPages: number,
      durationMs: number,
    });
    const { faultLatencyUs, histogram, remotePageFaults, pushedPages, fetchedPages } = report.postcopy!;
    expect(faultLatencyUs.p50).toBeLessThanOrEqual(faultLatencyUs.p99);
    expect(faultLatencyUs.p99).toBeLessThanOrEqual(faultLatencyUs.max);
    expect(histogram.reduce((total, { count }) => total + count, 0)).toBe(remotePageFaults);
    if (mode === 'post-copy') expect(pushedPages + fetchedPages).toBe(PAGES);
    else expect(pushedPages + fetchedPages).toBe(report.rounds.at(-1)!.dirtyPages);
  });

  it('splits the stun into parts that add up, none of them negative', () => {
    expect(sumOf(report.stun.parts)).toBeCloseTo(report.stun.stunMs, 6);
    for (const [part, ms] of Object.entries(report.stun.parts)) expect([part, ms >= 0]).toEqual([part, true]);
  });

  it("has the guest's own gap, which holds all of the stun that the answer does not wait for", () => {
    const { stunMs, guestGapMs, clockErrorMs, parts } = report.stun;
    expect(clockErrorMs).toBeGreaterThan(0);
    expect(guestGapMs).toBeGreaterThan(0);
    // The answer goes before the vCPUs run: only its way back, and the last slice after the stop, are not in the gap.
    expect(guestGapMs + clockErrorMs + parts.parkMs + parts.networkMs + 0.1).toBeGreaterThanOrEqual(stunMs);
  });

  it('has what the guest saw, before, during and after', () => {
    const { gaps, guestCost, timeline } = report;
    for (const histogram of [gaps.before, gaps.during, gaps.after]) {
      expect(histogram).not.toBeNull();
      expect(histogram!.p50Us).toBeLessThanOrEqual(histogram!.p99Us);
      expect(histogram!.p99Us).toBeLessThanOrEqual(histogram!.maxUs);
      expect(histogram!.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(histogram!.count);
      expect(decodeFromCompressedBase64(histogram!.hdr).totalCount).toBe(histogram!.count);
    }
    // A rate takes two samples: on a busy machine there may be fewer before the migration begins.
    const sampledBefore = timeline.source.atMs.filter((atMs) => atMs <= 0).length;
    expect(guestCost.beforePagesPerSecond === null).toBe(sampledBefore < 2);
    expect(guestCost.duringPagesPerSecond === null).toBe(mode === 'post-copy');
    for (const side of [timeline.source, timeline.destination]) {
      expect(side.atMs.length).toBeGreaterThan(0);
      expect(side.pagesPerSecond.map((column) => column.length)).toEqual(Array(3).fill(side.atMs.length));
      expect(side.longestStallMs.map((column) => column.length)).toEqual(Array(3).fill(side.atMs.length));
    }
    // One clock: the guest was sampled there only after it had stopped here.
    const stopping = timeline.phases.find(({ name }) => name === 'stopping')!;
    expect(timeline.destination.atMs[0]! + report.stun.clockErrorMs).toBeGreaterThan(stopping.fromMs);
  });

  it('accounts for every byte that the sockets counted', () => {
    const { total, sockets, encryption, wire, ...rows } = report.bytes;
    expect(sumOf(rows)).toBe(total);
    expect(total).toBe(sockets);
    // Within one host, in clear text.
    expect([encryption, wire]).toEqual([0, sockets]);
  });

  it('sends every dirty page of a round, with its bytes or as zero', () => {
    report.rounds.forEach(({ round, dirtyPages, sentPages, zeroPages, sentBytes }, index) => {
      expect(round).toBe(index);
      // The last round of a hybrid or post-copy is the push: what a fault fetched first it need not bring.
      const fetchedPages = index === report.rounds.length - 1 ? (report.postcopy?.fetchedPages ?? 0) : 0;
      expect(sentPages + zeroPages).toBeLessThanOrEqual(dirtyPages);
      expect(sentPages + zeroPages).toBeGreaterThanOrEqual(dirtyPages - fetchedPages);
      expect(sentBytes).toBeGreaterThanOrEqual(sentPages * 4096);
    });
    expect(report.rounds[0]!.dirtyPages).toBe(PAGES);
  });

  it('sends no more bitmap than the raw one and a small header', () => {
    const { format, rawBytes, sentBytes, ahead } = report.bitmap;
    expect(format).toBe('ahead');
    expect(rawBytes).toBeGreaterThanOrEqual(RAW_BITMAP_BYTES_MIN);
    for (const bytes of [sentBytes, ahead!.bytes]) expect(bytes).toBeLessThanOrEqual(rawBytes);
    expect(report.bytes.bitmap).toBe(sentBytes + ahead!.bytes);
    // Every page is lacking then: one run, and nothing besides.
    if (mode === 'post-copy') expect(ahead!.bytes + sentBytes).toBeLessThan(64);
  });

  it('names two processes', () => {
    expect(report.source.pid).not.toBe(report.destination.pid);
  });

  it('is all that standard output holds; progress goes to standard error', () => {
    expect(ended.stdout).toBe(`${reportText(report)}\n`);
    expect(ended.stderr).toMatch(/the guest runs\n/);
    expect(ended.stderr).toMatch(/listening on 127\.0\.0\.1:\d+/);
  });
});

describe('the bitmap', () => {
  it('crosses the wire whole when raw is asked for', async () => {
    const { report } = await demo('--bitmap', 'raw', '--mode', 'post-copy');
    const { format, rawBytes, sentBytes } = report.bitmap;
    expect(format).toBe('raw');
    expect(sentBytes).toBe(rawBytes);
    expect(rawBytes).toBeGreaterThanOrEqual(RAW_BITMAP_BYTES_MIN);
  });
});

// `npm start` installs and builds what is stale. Under `npm test` nothing is; started otherwise, it could replace the
// modules and the build that this very run works with.
const isUnderNpmTest = process.env['npm_lifecycle_event'] === 'test';

describe('what is printed', () => {
  it.runIf(isUnderNpmTest)('is one JSON document on standard output through a silent npm', async () => {
    const ended = await runNpm('start', '--silent', '--', '--json', ...small());
    const report = reportOf(ended);
    expect(report.outcome).toBe('completed');
    expect(ended.stdout).toBe(`${reportText(report)}\n`);
  });

  // npm itself announces the script on standard output; from the first brace on it is ours.
  it.runIf(isUnderNpmTest)('is one JSON document behind the announcement of npm', async () => {
    const ended = await runNpm('start', '--', '--json', ...small());
    const from = ended.stdout.indexOf('{');
    expect(ended.stdout.slice(0, from)).toMatch(/^(\s*|(> .*\n|\n)*)$/);
    expect(reportOf({ ...ended, stdout: ended.stdout.slice(from) }).outcome).toBe('completed');
  });

  it('is a report for people without --json', async () => {
    const { status, stdout, stderr } = await runCli('demo', ...small());
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Migrated guest "hot-set".* by hybrid in .*\n/);
    expect(stdout).toMatch(/\nThe guest stood still for \d.*\nStop to answer: \d/);
    expect(stdout).toMatch(
      /\nAudit: passed, 2,049 pages checked at the destination\. The guest stood still for it; no figure above counts that\.\n$/,
    );
    expect(stderr).toMatch(/round 0: all 2,049 pages|the guest runs/);
  });

  it('is a failure with its cause and owner for people, when there is no destination', async () => {
    const args = ['--to', '127.0.0.1:1', '--connect-timeout', '100ms', ...small(64)];
    const { status, stdout } = await runCli('source', '--once', ...args);
    expect(status).toBe(3);
    expect(stdout).toMatch(/^The migration failed while connecting: /);
    expect(stdout).toMatch(/cause +CONNECT_FAILED/);
    expect(stdout).toMatch(/owner of the guest +source/);
  });
});
