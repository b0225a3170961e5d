// What a command says while a migration is under way, on a terminal of its own making.
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StandardError, type Sink } from '../../src/cli/output.js';
import { Progress } from '../../src/cli/progress.js';
import type { MigrationSnapshot } from '../../src/source/snapshot.js';

class Terminal extends Writable {
  text = '';
  constructor(
    readonly isTTY: boolean,
    readonly columns = 80,
  ) {
    super();
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
  /** What was said: lines behind a clock. */
  get said(): string[] {
    return [...this.text.matchAll(/\d\.\d\d s {2}(.*)\n/g)].map(([, line]) => line!);
  }
}

const snapshot: MigrationSnapshot = {
  phase: 'connecting',
  round: 0,
  roundPages: 65_536,
  roundPagesSent: 0,
  sentBytes: 0,
  dirtyPages: 0,
  forecastStunMs: null,
  previousRoundPages: 0,
  roundElapsedMs: 0,
  expectedMs: null,
  throttledShare: 0,
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function follow(terminal: Terminal, steps: readonly Partial<MigrationSnapshot>[]): void {
  const migration = { snapshot };
  const progress = new Progress(new StandardError(terminal as unknown as Sink));
  progress.follow(migration);
  for (const step of steps) {
    migration.snapshot = { ...migration.snapshot, ...step };
    vi.advanceTimersByTime(200);
  }
  progress.stop();
}

describe('the progress of a migration', () => {
  it('says each phase and each round once, the push too when its round is counted', () => {
    const terminal = new Terminal(false);
    follow(terminal, [
      { phase: 'preparing' },
      { phase: 'copying' },
      { phase: 'harvesting', round: 1 },
      { phase: 'copying', round: 1, roundPages: 400 },
      { phase: 'stopping', dirtyPages: 12 },
      { phase: 'handing-over' },
      { phase: 'pushing', round: 2, roundPages: 12 },
      { phase: 'pushing', round: 3 },
      { phase: 'ended' },
    ]);
    expect(terminal.said).toEqual([
      'connecting to the destination',
      'the destination prepares: memory, vCPUs, page connections',
      'round 0: all 65,536 pages',
      'round 1: 400 dirty pages',
      'switching over with 12 pages left',
      'the guest runs at the destination; pushing 12 pages',
    ]);
  });

  it('moves while the destination prepares, and leaves nothing of the line behind', () => {
    const terminal = new Terminal(true);
    follow(terminal, [{ phase: 'preparing' }, {}, {}]);
    const drawn = terminal.text.match(/the destination prepares, \d\.\d s/g) ?? [];
    expect(new Set(drawn).size).toBeGreaterThanOrEqual(4);
    // The last that is written takes the line away.
    expect(terminal.text.slice(terminal.text.lastIndexOf('prepares,'))).toContain('\u001B[2K');
  });
});
