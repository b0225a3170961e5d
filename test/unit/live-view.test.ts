// Who may look at the live view, how many at a time, and the page that they get.
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bulletin } from '../../src/cli/dashboard/bulletin.js';
import { isLoopback } from '../../src/shared/wire/security.js';
import { refusalOf, type RequestHeaders } from '../../src/cli/dashboard/request-check.js';
import { StallWatch } from '../../src/cli/dashboard/stall-watch.js';
import { Viewers, VIEWERS_MAX } from '../../src/cli/dashboard/viewers.js';
import { GAP_BUCKETS, gapBucketOf } from '../../src/shared/guest/gap-buckets.js';
import { abortedParts, completedParts, failedParts } from '../../src/html/live/end.js';
import { renderLivePage } from '../../src/html/live/page.js';
import { liveTexts } from '../../src/html/live/texts.js';
import { LiveHistory } from '../../src/html/live/history.js';
import { REPORT_VERSION } from '../../src/report/document.js';
import { fixtureReport } from '../support/report-fixture.js';

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror="alert('2')">`;
const subject = {
  program: 'hot-set',
  memoryBytes: 2 ** 28,
  residentBytes: 0,
  vcpus: 2,
  mode: 'hybrid',
  stunBudgetMs: 10,
};

describe('a request to a live view on the loopback', () => {
  const served = { bound: { host: '127.0.0.1', port: 7080 }, host: '127.0.0.1' };
  const request = (headers: Partial<RequestHeaders>): string | undefined =>
    refusalOf(
      {
        host: '127.0.0.1:7080',
        origin: undefined,
        secFetchSite: undefined,
        secFetchMode: undefined,
        ...headers,
      },
      served,
    );

  it.each<[string, Partial<RequestHeaders>]>([
    ['names the address', {}],
    ['names localhost', { host: 'localhost:7080' }],
    ['comes from its own page', { origin: 'http://127.0.0.1:7080', secFetchSite: 'same-origin' }],
    ['was typed in', { secFetchSite: 'none', secFetchMode: 'navigate' }],
    ['follows a link of another site', { secFetchSite: 'cross-site', secFetchMode: 'navigate' }],
  ])('is answered when it %s', (_, headers) => {
    expect(request(headers)).toBeUndefined();
  });

  it.each<[string, Partial<RequestHeaders>]>([
    ['names no host', { host: undefined }],
    ['names another host', { host: 'evil.example:7080' }],
    ['names a host that ends like it', { host: '127.0.0.1.evil.example:7080' }],
    ['names another port', { host: '127.0.0.1:80' }],
    ['names no port', { host: 'localhost' }],
    ['names what is no host', { host: 'user@127.0.0.1:7080' }],
    ['comes from another origin', { origin: 'http://evil.example' }],
    ['comes from another port of this host', { origin: 'http://127.0.0.1:7081' }],
    ['comes from the same name over TLS', { origin: 'https://127.0.0.1:7080' }],
    ['comes from a page without an origin', { origin: 'null' }],
    ['is a script’s of another site', { secFetchSite: 'cross-site', secFetchMode: 'no-cors' }],
    ['is an event source’s of a neighbour', { secFetchSite: 'same-site', secFetchMode: 'cors' }],
  ])('is refused when it %s', (_, headers) => {
    expect(request(headers)).toMatch(/./);
  });

  it('may name the host that was asked for, and IPv6 in brackets', () => {
    const headers = { origin: undefined, secFetchSite: undefined, secFetchMode: undefined };
    const loopback = { bound: { host: '::1', port: 80 }, host: 'Own.test' };
    for (const host of ['[::1]:80', '[::1]', 'own.test', 'localhost:80'])
      expect(refusalOf({ ...headers, host }, loopback), host).toBeUndefined();
  });
});

describe('a request to a live view that others may reach', () => {
  const served = { bound: { host: '0.0.0.0', port: 8080 }, host: '0.0.0.0' };
  const headers = { origin: undefined, secFetchSite: undefined, secFetchMode: undefined };

  it('may name this host as it likes, and comes from no other origin', () => {
    expect(refusalOf({ ...headers, host: 'lab.example:8080' }, served)).toBeUndefined();
    expect(
      refusalOf({ ...headers, host: 'lab.example:8080', origin: 'http://evil.example:8080' }, served),
    ).toContain('another origin');
  });

  it('is one to whatever is no loopback address', () => {
    expect(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'].map(isLoopback)).not.toContain(false);
    expect(['0.0.0.0', '::', '192.0.2.7', '127.evil.example'].map(isLoopback)).not.toContain(true);
  });
});

describe('the viewers of a live view', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const never = new AbortController().signal;
  const isSettled = async (promise: Promise<void>): Promise<boolean> => {
    let settled = false;
    void promise.then(() => {
      settled = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    return settled;
  };

  it('are so many at the most; who leaves makes room, once', () => {
    const viewers = new Viewers();
    const all = Array.from({ length: VIEWERS_MAX }, () => viewers.admit(() => undefined)!);
    expect(viewers.admit(() => undefined)).toBeUndefined();
    all[0]!.leave();
    all[0]!.leave();
    expect(viewers.count).toBe(VIEWERS_MAX - 1);
    expect(viewers.admit(() => undefined)).toBeDefined();
  });

  it('are waited for a while when there was none', async () => {
    const viewers = new Viewers();
    const gone = viewers.gone(5000, never);
    await vi.advanceTimersByTimeAsync(4999);
    expect(await isSettled(gone)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isSettled(gone)).toBe(true);
  });

  it('may look as long as they like, and load the page again', async () => {
    const viewers = new Viewers();
    const first = viewers.admit(() => undefined)!;
    const gone = viewers.gone(5000, never);
    await vi.advanceTimersByTimeAsync(3_600_000);
    first.leave();
    await vi.advanceTimersByTimeAsync(100);
    const second = viewers.admit(() => undefined)!;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(await isSettled(gone)).toBe(false);
    second.leave();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await isSettled(gone)).toBe(true);
  });

  it('are waited for no longer when that is interrupted', async () => {
    const viewers = new Viewers();
    viewers.admit(() => undefined);
    const interrupted = new AbortController();
    const gone = viewers.gone(5000, interrupted.signal);
    interrupted.abort();
    expect(await isSettled(gone)).toBe(true);
    expect(await isSettled(viewers.gone(5000, interrupted.signal))).toBe(true);
  });

  it('are dropped when they take nothing more', async () => {
    const drop = vi.fn();
    const viewer = new Viewers().admit(drop)!;
    await viewer.takes(Promise.resolve());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(drop).not.toHaveBeenCalled();
    void viewer.takes(new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(drop).toHaveBeenCalledOnce();
  });

  it('miss nothing that was new while they were busy', async () => {
    const bulletin = new Bulletin();
    const seen = bulletin.issue;
    bulletin.publish();
    expect(await isSettled(bulletin.after(seen, 1000))).toBe(true);
    const waiting = bulletin.after(bulletin.issue, 1000);
    expect(await isSettled(waiting)).toBe(false);
    bulletin.publish();
    expect(await isSettled(waiting)).toBe(true);
  });
});

describe('the longest stall since the last look', () => {
  it('is the highest gap that is new, to a bucket', () => {
    const watch = new StallWatch();
    const counts = new Float64Array(GAP_BUCKETS);
    expect(watch.longestSince(counts.slice())).toBe(0);
    counts[gapBucketOf(1000)]! += 2;
    counts[gapBucketOf(8)]! += 5;
    const longest = watch.longestSince(counts.slice());
    expect(longest).toBeLessThanOrEqual(1000);
    expect(longest).toBeGreaterThan(950);
    counts[gapBucketOf(8)]! += 1;
    expect(watch.longestSince(counts.slice())).toBe(8);
    expect(watch.longestSince(counts.slice())).toBe(0);
  });
});

describe('the live page', () => {
  const page = renderLivePage(subject);

  it('allows its own script by its hash, and connections to its own origin alone', () => {
    const scripts = [...page.matchAll(/<script>([^]*?)<\/script>/g)].map(([, script]) => script!);
    const hashes = scripts.map((one) => `'sha256-${createHash('sha256').update(one).digest('base64')}'`);
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!;
    expect(scripts).toHaveLength(1);
    expect(policy!.replaceAll('&#39;', "'")).toBe(
      `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}; connect-src 'self'`,
    );
  });

  it('has a place for every text of its feed', () => {
    const places = [...page.matchAll(/data-live="([A-Za-z]+)"/g)].map(([, name]) => name);
    expect(places.sort()).toEqual(Object.keys(liveTexts(new LiveHistory(0), 10)).sort());
  });

  it('never makes an element of a hostile name, nor does its end', () => {
    expect(renderLivePage({ ...subject, program: HOSTILE, mode: HOSTILE })).not.toContain('<img');
    const report = { ...fixtureReport, mode: HOSTILE, switchOverReason: HOSTILE };
    const failure = {
      version: REPORT_VERSION,
      outcome: 'failed',
      phase: HOSTILE,
      error: { code: HOSTILE, message: HOSTILE },
      owner: HOSTILE,
      safeNext: HOSTILE,
      source: { pid: 1, host: 'alpha' },
    } as const;
    for (const { head, outcome } of [
      completedParts(report, 'report'),
      failedParts(failure),
      abortedParts(HOSTILE),
    ])
      expect(head + outcome).not.toMatch(/<img|<script/);
  });

  it('ends with the stun of the report and its parts, or with what went wrong', () => {
    const { head, outcome } = completedParts(fixtureReport, 'report');
    expect(head).toContain(`data-field="stun.stunMs" value="${fixtureReport.stun.stunMs}"`);
    expect(head).toContain('href="report"');
    expect(outcome).toContain(`data-field="stun.parts.parkMs"`);
    expect(abortedParts('vCPU 0 failed').head).toContain('vCPU 0 failed');
  });
});
