// Whole migrations between two processes: every guest in every mode, and memory of odd numbers of pages.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, reportOf, runCli, small, startDestination, startSource } from '../support/cli.js';

interface Case {
  readonly guest: string;
  readonly mode: 'hybrid' | 'pre-copy' | 'post-copy';
  readonly vcpus: number;
  readonly pages: number;
  readonly rate?: string;
  readonly more?: readonly string[];
}

// Each guest meets each mode; vCPUs, sizes, rates and the rest are spread over them.
const cases: readonly Case[] = [
  { guest: 'uniform', mode: 'hybrid', vcpus: 1, pages: 2049, rate: 'max' },
  { guest: 'uniform', mode: 'pre-copy', vcpus: 4, pages: 4097 },
  { guest: 'hot-set', mode: 'hybrid', vcpus: 4, pages: 4097, rate: 'max' },
  { guest: 'hot-set', mode: 'pre-copy', vcpus: 2, pages: 2049, rate: 'max' },
  { guest: 'sequential', mode: 'hybrid', vcpus: 2, pages: 513, more: ['--connections', '1'] },
  { guest: 'sequential', mode: 'post-copy', vcpus: 4, pages: 2049, more: ['--connections', '3'] },
  { guest: 'zipf', mode: 'hybrid', vcpus: 1, pages: 4097, more: ['--bitmap', 'raw'] },
  { guest: 'zipf', mode: 'post-copy', vcpus: 2, pages: 4097, rate: 'max' },
  { guest: 'replay', mode: 'hybrid', vcpus: 2, pages: 4097, rate: 'max' },
  { guest: 'replay', mode: 'pre-copy', vcpus: 4, pages: 2049 },
  { guest: 'replay', mode: 'post-copy', vcpus: 1, pages: 2049, rate: 'max', more: ['--seed', '7'] },
  { guest: 'ledger', mode: 'hybrid', vcpus: 4, pages: 4097, rate: 'max' },
];

/** Of a guest that touches a part of its memory. */
const MEMORY_PAGES = 32_768;
const RESIDENT_PAGES = 2048;

afterEach(endAll);

describe('a migration between two processes', () => {
  it.each(cases)(
    'moves $guest by $mode with $vcpus vCPUs, $pages pages, write rate $rate',
    async ({ guest, mode, vcpus, pages, rate, more = [] }) => {
      const shape = ['--guest', guest, '--mode', mode, '--vcpus', `${vcpus}`, ...small(pages)];
      const paced = rate === undefined ? [] : ['--write-rate', rate];
      const report = reportOf(await runCli('demo', '--json', ...shape, ...paced, ...more));
      expect(report).toMatchObject({
        outcome: 'completed',
        mode,
        guest: { program: guest, memoryBytes: pages * 4096, vcpus },
        audit: { passed: true, checked: pages, failed: 0, findings: [] },
        cuts: 0,
      });
      expect(report.destination.pid).not.toBe(report.source.pid);
    },
  );

  it.each([
    { guest: 'uniform', mode: 'pre-copy', more: [] },
    { guest: 'hot-set', mode: 'hybrid', more: ['--hot-set', '4MiB', '--write-rate', 'max'] },
    { guest: 'zipf', mode: 'post-copy', more: [] },
    { guest: 'replay', mode: 'hybrid', more: ['--write-rate', 'max'] },
  ])('moves $guest, which touches 8 MiB of 128, by $mode', async ({ guest, mode, more }) => {
    const shape = ['--guest', guest, '--mode', mode, '--resident', '8MiB', ...small(MEMORY_PAGES)];
    const report = reportOf(await runCli('demo', '--json', ...shape, ...more));
    expect(report).toMatchObject({
      guest: { memoryBytes: MEMORY_PAGES * 4096, residentBytes: RESIDENT_PAGES * 4096 },
      audit: { passed: true, failed: 0, findings: [] },
    });
    expect(report.audit!.checked).toBeGreaterThan(RESIDENT_PAGES + 2000);
    // What was never touched is known to be zero, and travels as that.
    expect(report.bytes.firstCopy).toBeLessThanOrEqual(RESIDENT_PAGES * 4096 * 1.01);
  });

  it.each([
    { guest: 'uniform', mode: 'hybrid', more: ['--write-rate', 'max'] },
    { guest: 'hot-set', mode: 'pre-copy', more: ['--connections', '2'] },
    { guest: 'replay', mode: 'post-copy', more: [] },
    { guest: 'ledger', mode: 'hybrid', more: ['--write-rate', 'max'] },
    { guest: 'zipf', mode: 'hybrid', more: ['--bitmap', 'raw', '--trace', 'all-vcpus'] },
  ])('moves what $guest has touched of 24 TiB by $mode ($more)', async ({ guest, mode, more }) => {
    const shape = [
      '--guest',
      guest,
      '--mode',
      mode,
      '--memory',
      '24TiB',
      '--resident',
      '16MiB',
      '--vcpus',
      '3',
    ];
    const report = reportOf(
      await runCli('demo', '--json', '--migrate-after', '50ms', '--audit-after', '50ms', ...shape, ...more),
    );
    expect(report).toMatchObject({
      outcome: 'completed',
      guest: { memoryBytes: 24 * 2 ** 40, residentBytes: 16 << 20 },
      audit: { passed: true, failed: 0, findings: [] },
      cuts: 0,
    });
    expect(report.bitmap.rawBytes).toBeGreaterThanOrEqual(768 << 20);
    expect(report.bytes.firstCopy).toBeLessThan(17 << 20);
  });

  it('moves a guest of one page', async () => {
    const report = reportOf(await runCli('demo', '--json', '--vcpus', '1', ...small(1)));
    expect(report.audit).toMatchObject({ passed: true, checked: 1 });
  });

  // Nothing is dirty at the switch-over, so the guest lacks no page when it resumes.
  it('moves a guest that writes nothing by hybrid', async () => {
    const report = reportOf(await runCli('demo', '--json', '--write-rate', '0', ...small()));
    expect(report.audit).toMatchObject({ passed: true, checked: 2049 });
  });

  it('leaves the guest running at the destination', async () => {
    const { destination, to } = await startDestination(['--run-for', '300ms']);
    const source = startSource(to);
    reportOf(await source.ended);
    const { status, stdout } = await destination.ended;
    expect(status).toBe(0);
    const ran = JSON.parse(stdout) as { outcome: string; pid: number; guest: { pagesWritten: number } };
    expect(ran).toMatchObject({ outcome: 'ran', pid: destination.pid });
    expect(ran.guest.pagesWritten).toBeGreaterThan(0);
  });

  it('runs the guest until the destination is interrupted', async () => {
    const { destination, to } = await startDestination();
    const report = reportOf(await startSource(to, '--no-audit').ended);
    expect(report.audit).toBeNull();
    await destination.said(/it runs until this process is interrupted/);
    destination.kill('SIGINT');
    expect((await destination.ended).status).toBe(0);
  });
});
