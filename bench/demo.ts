// Runs `microstun demo` as a process of its own and answers its report: what is measured is what a user starts.
// Watches the peak memory of both processes when asked to; knows nothing of the figures in the report.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MigrationReport } from '../src/report/document.js';

const entry = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

/** A demo that takes longer is stuck. */
const DEMO_MS_MAX = 180_000;

export interface DemoRun {
  readonly report: MigrationReport;
  /** Peak resident memory in bytes, 0 when it was not watched. */
  readonly sourcePeakBytes: number;
  readonly destinationPeakBytes: number;
}

const WATCH_MS = 20;

export function runDemo(args: readonly string[], watchesMemory = false): Promise<DemoRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, 'demo', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let sourcePeakBytes = 0;
    let destinationPeakBytes = 0;
    const pid = child.pid ?? 0;
    const watch = setInterval(() => {
      if (!watchesMemory) return;
      sourcePeakBytes = Math.max(sourcePeakBytes, peakBytesOf(pid));
      destinationPeakBytes = Math.max(destinationPeakBytes, ...childrenOf(pid).map(peakBytesOf), 0);
    }, WATCH_MS);
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`demo ${args.join(' ')} was stuck:\n${stderr}`));
    }, DEMO_MS_MAX);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (status) => {
      clearInterval(watch);
      clearTimeout(timer);
      if (status === 0) {
        const report = JSON.parse(stdout) as MigrationReport;
        resolve({ report, sourcePeakBytes, destinationPeakBytes });
      } else {
        reject(new Error(`demo ${args.join(' ')} ended with ${status}:\n${stderr}${stdout}`));
      }
    });
  });
}

// Linux only; elsewhere, and for a process that has just ended, 0.
function peakBytesOf(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`));
  return match === null ? 0 : Number(match[1]) * 1024;
}

function childrenOf(pid: number): number[] {
  const children = readOrEmpty(`/proc/${pid}/task/${pid}/children`).trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
