// Memory compared with what the source had at the hand-over, between two processes, in every mode: what is whole is equal,
// and a byte of a page that is damaged on the wire is found and named.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, ODD_PAGES, quick, reportOf, startCli, small, type Ended } from '../support/cli.js';
import { sufferingFrom } from '../support/wire-faults.js';

afterEach(endAll);

const demoOf = (...args: readonly string[]): Promise<Ended> =>
  startCli('demo', '--json', '--verify', ...args).ended;
const demo = (...args: readonly string[]): Promise<Ended> => demoOf(...small(), ...args);

/** As `demo`; the last byte of the first frame of pages is damaged on its way. */
function damaged(...args: readonly string[]): Promise<Ended> {
  const env = sufferingFrom([{ message: 'PAGES', when: 'last-byte', what: 'corrupt' }]);
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  const ended = demo(...args);
  for (const [name, value] of before) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
  return ended;
}

const modes = ['pre-copy', 'hybrid', 'post-copy'] as const;

describe('a guest that is compared', () => {
  it.each(modes)('is equal when nothing happened to it (%s), and is audited after', async (mode) => {
    const report = reportOf(await demo('--mode', mode, '--guest', 'replay'));
    expect(report.verify).toMatchObject({ windows: 5, pages: ODD_PAGES, mismatchedPages: 0, mismatched: [] });
    expect(report.audit).toMatchObject({ passed: true });
    expect(report.bytes.hashes).toBeGreaterThan(0);
    expect(report.bytes.total).toBe(report.bytes.sockets);
  });

  it('is equal when it lies in segments, without an audit', async () => {
    const report = reportOf(
      await demoOf('--memory', '24TiB', '--resident', '8MiB', '--guest', 'replay', '--no-audit', ...quick),
    );
    expect(report.verify).toMatchObject({ mismatchedPages: 0 });
    expect(report.verify!.pages).toBeGreaterThanOrEqual(2048);
  });

  // Nobody stores to it, so that no later round makes the damage good.
  it.each(modes)('is not where a page was damaged on its way (%s)', async (mode) => {
    const { status, stdout, stderr } = await damaged(
      ...['--mode', mode, '--guest', 'uniform', '--write-rate', '0', '--no-checksums', '--no-audit'],
    );
    expect([status, stderr]).toEqual([6, expect.stringMatching(/pages? \d+.* not what the source had/)]);
    const { verify } = JSON.parse(stdout) as { verify: { mismatchedPages: number; mismatched: number[] } };
    expect(verify.mismatchedPages).toBeGreaterThanOrEqual(1);
    expect(verify.mismatched).toHaveLength(verify.mismatchedPages);
  });

  it('is equal again where the damage was found by the check of its frame', async () => {
    const report = reportOf(await damaged('--guest', 'uniform', '--write-rate', '0', '--no-audit'));
    expect(report.verify).toMatchObject({ mismatchedPages: 0 });
    expect(report.cuts).toBeGreaterThan(0);
  });
});
