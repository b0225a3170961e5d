// A run of a comparison as a process: how it ends, and what that counts as.
import { describe, expect, it } from 'vitest';
import { runChild, type ChildEnd } from '../../src/cli/compare-child.js';
import { outcomeOf } from '../../src/cli/compare-run.js';
import { REPORT_VERSION } from '../../src/report/document.js';
import { fixtureReport } from '../support/report-fixture.js';

const LONG_MS = 60_000;
const FLAGS = ['--memory', '8MiB'];

const node = (script: string): [string, ...string[]] => [process.execPath, '-e', script];
const never = new AbortController().signal;

describe('a process', () => {
  it('that ends by itself brings its status and all that it said', async () => {
    const end = await runChild(
      node(`process.stdout.write('x'.repeat(1e6)); console.error('why'); process.exitCode = 5`),
      LONG_MS,
      never,
    );
    expect(end).toEqual({ status: 5, stdout: 'x'.repeat(1e6), stderr: 'why\n', why: 'ended' });
  });

  it('that takes longer than it may is killed', async () => {
    const { status, why } = await runChild(node(`setInterval(() => 0, 1000)`), 200, never);
    expect({ status, why }).toEqual({ status: null, why: 'took too long' });
  });

  it('is asked to end when the comparison is interrupted', async () => {
    const interrupt = new AbortController();
    const ended = runChild(
      node(
        `process.once('SIGINT', () => process.exit(7)); setInterval(() => 0, 1000); console.log(process.pid)`,
      ),
      LONG_MS,
      interrupt.signal,
    );
    interrupt.abort();
    const { status, why } = await ended;
    expect(why).toBe('interrupted');
    // Asked before it could listen, it is ended by the signal.
    expect([7, null]).toContain(status);
  });

  it('is not started when it was interrupted before', async () => {
    expect(await runChild(node(``), LONG_MS, AbortSignal.abort())).toMatchObject({ why: 'interrupted' });
  });

  it('that cannot be started says so', async () => {
    const end = await runChild(['/no/such/program'], LONG_MS, never);
    expect(end.why).toBe('could not be started');
    expect(end.stderr).toContain('ENOENT');
  });
});

describe('the end of a run counts as', () => {
  const end = (changes: Partial<ChildEnd>): ChildEnd => ({
    status: 0,
    stdout: '',
    stderr: '',
    why: 'ended',
    ...changes,
  });
  const failure = {
    version: REPORT_VERSION,
    outcome: 'failed',
    error: { code: 'REFUSED', message: 'no room' },
  };
  const audit = { passed: false, checked: 9, failed: 1, findings: ['page 3 is torn'] };

  it('completed with a report and status 0', () => {
    const stdout = JSON.stringify(fixtureReport);
    expect(outcomeOf(end({ stdout }), 0, FLAGS, LONG_MS)).toEqual({
      kind: 'completed',
      report: fixtureReport,
    });
  });

  it.each([
    ['a failed migration', { status: 4, stdout: JSON.stringify(failure) }, 4, 'REFUSED', 'no room'],
    [
      'an audit that failed',
      { status: 6, stdout: JSON.stringify({ ...fixtureReport, audit }) },
      6,
      'AUDIT_FAILED',
      'page 3 is torn',
    ],
    ['no report at all', { status: 1, stderr: 'x\nthe last word\n' }, 1, 'WORKER_FAILED', 'the last word'],
    ['no report and status 0', { status: 0, stdout: '{' }, 5, 'WORKER_FAILED', 'status 0 and no report'],
    ['JSON that is no report', { status: 0, stdout: 'null' }, 5, 'WORKER_FAILED', 'no report'],
    ['a signal', { status: null }, 5, 'WORKER_FAILED', 'a signal ended it'],
    ['too long a time', { status: null, why: 'took too long' as const }, 5, 'TIMEOUT', 'killed after 60.0 s'],
  ])('failed with %s', (_, changes, status, code, words) => {
    const outcome = outcomeOf(end(changes), 2, FLAGS, LONG_MS);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { run: 2, status, code, flags: FLAGS } });
    expect(outcome.kind === 'failed' ? outcome.failure.message : '').toContain(words);
  });
});
