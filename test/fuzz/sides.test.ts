// The whole destination and the whole source, as processes, over real sockets: what their peers say is tampered with.
// Neither crashes, hangs, grows, or owns a guest that the other has. docs/testing.md tells how to try more.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  endAll,
  failureOf,
  small,
  startCli,
  startDestination,
  type CliProcess,
  type Ended,
} from '../support/cli.js';
import { Chance, countOf, firstSeed } from '../support/fuzz/chance.js';
import { mutatedFrames, mutated } from '../support/fuzz/mutations.js';
import { recordMigration, Recorder } from '../support/fuzz/recording.js';
import { Replay } from '../support/fuzz/replay.js';

const PAGES = 600;
const HOURS_MS = 10 * 3_600_000;
const ROLES = ['control', 'pages', 'faults'] as const;
/** Migrations that are replayed side by side: most of the time each waits for an answer that does not come. */
const LANES = 4;
/** What a guest that waits for pages has: vCPUs, receivers, fetcher and sampler, each with some descriptors of its own. */
const THREADS_A_GUEST = 8;
const DESCRIPTORS_A_GUEST = 40;

afterEach(endAll);

/** What a process has of its host. */
function holdings({ pid }: CliProcess): { descriptors: number; threads: number; residentKib: number } {
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    residentKib: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]),
  };
}

/** Resolves once `isSo`, which it asks now and then. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const from = performance.now();
  while (!(await isSo())) {
    if (performance.now() - from > 30_000) throw new Error(`it takes too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Ended by a signal of the test's, or with a status of its own; not by a mistake of ours, nor by the system. */
function isSound({ status, signal, stderr }: Ended): boolean {
  return (
    (signal === 'SIGTERM' || (signal === null && status !== 1)) && !stderr.includes('a bug of microstun')
  );
}

describe.runIf(process.platform === 'linux')('a destination whose sources tamper with a migration', () => {
  it(
    'takes the guest with a whole hand-over or refuses it, and is there for the next',
    { timeout: HOURS_MS },
    async () => {
      const guest = ['--memory', `${PAGES * 4096}`, '--write-rate', '2k', '--guest', 'uniform'];
      const recorded = await recordMigration(...guest, '--mode', 'pre-copy', '--no-audit');
      const others = recorded.map(({ fromSource }) => fromSource.subarray(0, 4000));
      const args = ['--max-guests', '100', '--run-for', '0ms', '--reconnect-timeout', '200ms'];
      const { destination, to } = await startDestination(
        [...args, '--log-level', 'error'],
        undefined,
        HOURS_MS,
      );
      const port = Number(to.split(':')[1]);
      const isTakenAsItIs = async (): Promise<boolean> =>
        (await new Replay(recorded, (_, frames) => frames).sayTo(port)).includes('RESUMED');
      await until('a good migration is taken', isTakenAsItIs);
      const before = holdings(destination);
      const count = countOf(8, 1);
      say(`fuzzing a destination: FUZZ_SEED=${firstSeed} FUZZ_COUNT=${count}`);
      let next = 0;
      let takeOvers = 0;
      const lane = async (): Promise<void> => {
        while (next < count) {
          const seed = firstSeed + next++;
          const chance = new Chance(seed);
          const victim = chance.pick(ROLES);
          const heard = await new Replay(recorded, (role, frames) =>
            role === victim ? mutatedFrames(chance, frames, others) : frames,
          ).sayTo(port);
          if (heard.includes('TAKEN_OVER')) takeOvers++;
          if (destination.isOver)
            throw new Error(
              `it ended: FUZZ_SEED=${seed} FUZZ_COUNT=1: ${JSON.stringify(await destination.ended)}`,
            );
          if (next % 100 === 0)
            say(`${next} inputs, ${takeOvers} taken over, ${JSON.stringify(holdings(destination))}`);
        }
      };
      await Promise.all(Array.from({ length: Math.min(LANES, count) }, lane));
      await until('a good migration is taken again', isTakenAsItIs);
      await until('it has no more than before', () => {
        const after = holdings(destination);
        // A guest that was taken over with pages to follow waits for them here, as it should.
        return (
          after.descriptors <= before.descriptors + DESCRIPTORS_A_GUEST * takeOvers &&
          after.threads <= before.threads + THREADS_A_GUEST * takeOvers
        );
      });
      expect(holdings(destination).residentKib).toBeLessThan(before.residentKib + (256 << 10));
      say(`${count} inputs, ${takeOvers} taken over, ${JSON.stringify([before, holdings(destination)])}`);
      destination.kill('SIGTERM');
      expect(isSound(await destination.ended)).toBe(true);
    },
  );
});

describe('a source whose destination tampers with what it says', () => {
  const args = ['--once', '--reconnect-timeout', '1s'];

  it('keeps the guest or gives it away, and never both', { timeout: HOURS_MS }, async () => {
    const count = countOf(3, 1);
    say(`fuzzing a source: FUZZ_SEED=${firstSeed} FUZZ_COUNT=${count}`);
    const endings = new Map<string, number>();
    for (let nth = 0; nth < count; nth++) {
      const chance = new Chance(firstSeed + nth);
      const victim = chance.pick(ROLES);
      // A migration has so many frames of these.
      let left = chance.below({ control: 20, pages: 8, faults: 4 }[victim]);
      const said: Buffer[] = [];
      const recorder = new Recorder((role, frame) => {
        said.push(frame);
        if (role !== victim || left-- !== 0) return [frame];
        return chance.isOneIn(2) ? [mutated(chance, frame, said)] : mutatedFrames(chance, [frame], said);
      });
      const { destination, to } = await startDestination(['--run-for', '0ms', ...args]);
      const port = await recorder.listen('control', Number(to.split(':')[1]));
      const source = startCli(
        ...['source', '--json', '--to', `127.0.0.1:${port}`, ...small(PAGES), '--write-rate', '2k', ...args],
        ...['--in-doubt-after', '1s', '--connect-timeout', '2s'],
        ...['--mode', chance.pick(['hybrid', 'pre-copy', 'post-copy'])],
      );
      const here = await source.ended;
      recorder.close();
      destination.kill('SIGTERM');
      const there = await destination.ended;
      const told = `FUZZ_SEED=${firstSeed + nth} FUZZ_COUNT=1: ${JSON.stringify([here, there])}`;
      if (!isSound(here) || !isSound(there)) throw new Error(told);
      const owner = here.status === 0 ? 'destination' : failureOf(here).owner;
      const hasRun = (JSON.parse(there.stdout) as { outcome: string }).outcome === 'ran';
      if (owner === 'source' && hasRun) throw new Error(`two owners, ${told}`);
      const ending = `${owner}, ${here.status === 0 ? 'completed' : failureOf(here).error.code}`;
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    }
    say(`${count} migrations: ${JSON.stringify([...endings])}`);
  });
});
