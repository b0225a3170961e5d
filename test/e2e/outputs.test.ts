// Outputs that cannot be written, and documents that are always written: nothing of it ends a guest or hides a result.
import { spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FailureReport } from '../../src/report/document.js';
import {
  endAll,
  failureOf,
  reportOf,
  root,
  runCli,
  small,
  startCli,
  startDestination,
} from '../support/cli.js';

const entry = path.join(root, 'dist/cli/main.js');

afterEach(endAll);

/** Runs the command line with `stdout` and `stderr` as they are; answers its status and what went to a pipe. */
function run(
  args: readonly string[],
  stdout: 'pipe' | number,
  stderr: 'pipe' | number,
): Promise<{ status: number | null; text: string }> {
  const child = spawn(process.execPath, [entry, ...args], { cwd: root, stdio: ['ignore', stdout, stderr] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      resolve({ status, text });
    });
  });
}

describe('an output that is lost', () => {
  it('takes no guest along: a destination whose reader is gone runs the guest that comes', async () => {
    const { destination, to } = await startDestination(['--run-for', '0ms', '--log-level', 'info']);
    destination.closeOutputs();
    const source = reportOf(await runCli('source', '--json', '--to', to, ...small()));
    expect(source.audit?.passed).toBe(true);
    const { status, signal } = await destination.ended;
    // It ran its guest to the end; only its own document found no reader.
    expect({ status, signal }).toEqual({ status: 9, signal: null });
  });

  it.runIf(existsSync('/dev/full'))('on standard error changes nothing', async () => {
    const { status, text } = await run(['demo', '--json', ...small()], 'pipe', openSync('/dev/full', 'w'));
    expect(status).toBe(0);
    expect((JSON.parse(text) as { outcome: string }).outcome).toBe('completed');
  });

  it.runIf(existsSync('/dev/full'))('on standard output is told with a status of its own', async () => {
    const { status, text } = await run(['demo', ...small()], openSync('/dev/full', 'w'), 'pipe');
    expect(text).toMatch(/microstun: the report could not be written to standard output: .*ENOSPC/);
    expect(text).toContain('the guest ran');
    // Nothing is wrong on a good run, and nothing is said to be.
    expect(text).not.toMatch(/"level":|fault connection/);
    expect(status).toBe(9);
  });
});

describe('with --json', () => {
  const documentOf = (stdout: string): FailureReport => JSON.parse(stdout) as FailureReport;

  it('an interrupt before the migration is a document', async () => {
    const source = startCli(
      'source',
      '--json',
      '--to',
      '127.0.0.1:1',
      '--memory',
      '4MiB',
      '--migrate-after',
      '40s',
    );
    await source.said(/the guest runs/);
    source.kill('SIGINT');
    const ended = await source.ended;
    expect(ended.status).toBe(130);
    expect(failureOf(ended).error.code).toBe('CANCELLED');
  });

  it('wrong usage is a document, beside the sentence', async () => {
    const { status, stdout, stderr } = await runCli('demo', '--json', '--memory', 'lots');
    expect(status).toBe(2);
    expect(documentOf(stdout)).toMatchObject({
      outcome: 'failed',
      error: { code: 'USAGE' },
      owner: 'nobody',
    });
    expect(stderr).toMatch(/^microstun: "lots"/);
  });

  it('an address that is no own one is a document', async () => {
    const { status, stdout } = await runCli(
      ...['destination', '--json', '--insecure', '--listen', '203.0.113.1:7000'],
    );
    expect(status).toBe(3);
    expect(documentOf(stdout).error.code).toBe('LISTEN_FAILED');
  });
});
