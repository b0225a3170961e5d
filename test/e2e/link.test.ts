// Networks that are not like a loopback: emulated delay and cuts, and bandwidth that a guest outruns.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, failureOf, reportOf, runCli, small } from '../support/cli.js';

afterEach(endAll);

const demo = (...args: readonly string[]) => runCli('demo', '--json', ...small(), ...args);

describe('an emulated link', () => {
  it('takes its time for each crossing, and says in the report that it was there', async () => {
    const report = reportOf(await demo('--delay', '20ms'));
    expect(report.link).toEqual({ emulated: true, delayMs: 20, cuts: [] });
    expect(report.audit).toMatchObject({ passed: true });
    // Two crossings of the hand-over and its answer; the clocks are compared over it too.
    expect(report.stun.parts.networkMs).toBeGreaterThanOrEqual(20);
    expect(report.stun.clockErrorMs).toBeGreaterThanOrEqual(10);
  });

  it('is cut by its script, and the migration goes on', async () => {
    const report = reportOf(await demo('--cut', '600ms+150ms,1500ms', '--bandwidth', '40Mbit'));
    expect(report.link).toMatchObject({ delayMs: 0, cuts: [{ forMs: 150 }, { forMs: 0 }] });
    expect(report.cuts).toBeGreaterThan(0);
    expect(report.audit).toMatchObject({ passed: true });
  });

  it('is told from a destination that is not there', async () => {
    const { status, stdout } = await runCli(
      ...[
        'source',
        '--once',
        '--json',
        '--to',
        '127.0.0.1:9',
        '--delay',
        '1ms',
        '--connect-timeout',
        '300ms',
      ],
      ...small(),
    );
    expect(status).toBe(3);
    expect(failureOf({ status, stdout, stderr: '', signal: null })).toMatchObject({
      error: { code: 'CONNECT_FAILED' },
      owner: 'source',
    });
  });
});

describe('a guest that dirties memory faster than a capped link carries it', () => {
  const outrun = ['--bandwidth', '40Mbit', '--write-rate', 'max'];

  it('moves by post-copy when the rounds make no progress', async () => {
    const report = reportOf(await demo(...outrun, '--mode', 'pre-copy', '--on-timeout', 'post-copy'));
    expect(report).toMatchObject({ switchOverReason: 'no progress', audit: { passed: true } });
    expect(report.postcopy).not.toBeNull();
    expect(report.trace.throttledMs).toBe(0);
  });

  it('moves within a pre-copy when its vCPUs are throttled, and the report says what that cost', async () => {
    const report = reportOf(await demo(...outrun, '--mode', 'pre-copy', '--on-timeout', 'throttle'));
    expect(report).toMatchObject({ audit: { passed: true } });
    // On a machine too busy for a stun below a second the throttle gives way, and the report says so.
    expect(report.postcopy === null).toBe(report.switchOverReason !== 'throttle not enough');
    expect(report.trace.throttledMs).toBeGreaterThan(0);
    // Not before it was needed.
    expect(report.rounds.slice(0, 2).map(({ throttledShare }) => throttledShare)).toEqual([0, 0]);
    expect(report.rounds.some(({ throttledShare }) => throttledShare > 0)).toBe(true);
    expect(report.settings.bandwidthBytesPerSecond).toBe(5_000_000);
  });

  it('stays when the time is up and it is not to move otherwise', async () => {
    const end = await demo(...outrun, '--mode', 'pre-copy', '--on-timeout', 'abort', '--time-limit', '300ms');
    expect(failureOf(end)).toMatchObject({ error: { code: 'TIMEOUT' }, owner: 'source' });
    expect(failureOf(end).safeNext).toContain('its audit passed');
  });

  it('moves by hybrid', async () => {
    const report = reportOf(await demo(...outrun, '--mode', 'hybrid'));
    expect(report.audit).toMatchObject({ passed: true });
    expect(report.postcopy).not.toBeNull();
  });

  it('moves by post-copy, with its faults held back too', async () => {
    const report = reportOf(
      await demo('--mode', 'post-copy', '--bandwidth', '200Mbit', '--fault-bandwidth', '20Mbit'),
    );
    expect(report.settings).toMatchObject({
      bandwidthBytesPerSecond: 25_000_000,
      faultBandwidthBytesPerSecond: 2_500_000,
    });
    expect(report.audit).toMatchObject({ passed: true });
  });
});

describe('a guest that converges', () => {
  // On a busy machine its rounds may make no progress for a while; then it is throttled, and not before.
  it('is not throttled while its rounds make progress, whatever the time limit is to do', async () => {
    const report = reportOf(
      await demo('--mode', 'pre-copy', '--write-rate', '20k', '--on-timeout', 'throttle'),
    );
    expect(report.rounds.slice(0, 2).every(({ throttledShare }) => throttledShare === 0)).toBe(true);
    if (report.rounds.every(({ throttledShare }) => throttledShare === 0))
      expect(report.trace.throttledMs).toBe(0);
  });
});
