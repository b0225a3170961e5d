// Runs one cell of the matrix of guest endings with real processes and judges it: both sides say what came of it, nothing
// hangs, and the destination takes the next guest where this one did not come.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FailureReport, MigrationReport } from '../../src/report/document.js';
import { ENDS_AT, nameOfEnding, verdictOf, type EndingCell } from './ending-matrix.js';
import { PeerProcess } from './peer-process.js';

const GUEST = path.resolve(import.meta.dirname, 'guests/ending.mjs');
const RUN_MS = 60_000;
/** Nobody listens there. */
const NOWHERE = '127.0.0.1:9';

/** Answers what the source said, in a few words. @throws Error with the processes' output when it breaks a rule. */
export async function runEnding(cell: EndingCell): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'microstun-ending-'));
  const processes: PeerProcess[] = [];
  const start = (name: string, args: readonly string[], env: Record<string, string> = {}): PeerProcess => {
    const started = new PeerProcess(name, args, env);
    processes.push(started);
    return started;
  };
  try {
    return await judge(cell, path.join(folder, 'now'), start);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const story = processes.map((one) => one.story).join('\n');
    throw new Error(`${nameOfEnding(cell)}: ${why}\n${story}`, { cause: error });
  } finally {
    await Promise.all(processes.map((one) => one.kill()));
    rmSync(folder, { recursive: true, force: true });
  }
}

type Start = (name: string, args: readonly string[], env?: Record<string, string>) => PeerProcess;

async function judge(cell: EndingCell, file: string, start: Start): Promise<string> {
  const { phase, ending } = cell;
  const { side, when, said } = ENDS_AT[phase];
  const ends = { ENDING: ending, ENDING_WHEN: when === 'file' ? file : when };
  const isAlone = phase === 'resting' || phase === 'connecting';
  const limits = ['--reconnect-timeout', '2s', '--in-doubt-after', '2s'];
  const destination = isAlone
    ? undefined
    : start(
        'destination',
        [
          'destination',
          '--listen',
          '127.0.0.1:0',
          '--json',
          '--allow-guest',
          GUEST,
          '--run-for',
          '60s',
          ...limits,
        ],
        side === 'destination' ? ends : {},
      );
  const to = (await destination?.address(RUN_MS)) ?? NOWHERE;
  const source = start(
    'source',
    [
      ...['source', '--once', '--json', '--to', to, '--guest', GUEST, '--audit-after', '50ms', ...limits],
      ...['--migrate-after', phase === 'resting' ? '60s' : '100ms', '--connect-timeout', '3s'],
      ...(phase === 'copying' ? ['--bandwidth', '10Mbit'] : []),
      ...(phase === 'pushing' ? ['--mode', 'post-copy', '--bandwidth', '10Mbit'] : []),
    ],
    side === 'source' ? ends : {},
  );
  if (said !== undefined) {
    const speaker = phase === 'staying' ? destination! : source;
    await speaker.until('say where it is', () => said.test(speaker.stderr), RUN_MS);
    writeFileSync(file, '');
  }
  if (phase === 'resting' && (ending === 'loop' || ending === 'halt')) {
    const isSeen = (): boolean =>
      (ending === 'loop' ? /has been in one slice/ : /the guest runs/).test(source.stderr);
    await source.until('show it', isSeen, RUN_MS);
    source.interrupt();
  }
  const { status } = await source.end(RUN_MS);
  judgeSource(cell, status, source);
  if (destination !== undefined) await judgeDestination(cell, destination);
  return `status ${status}`;
}

function judgeSource(cell: EndingCell, status: number | null, source: PeerProcess): void {
  const verdict = verdictOf(cell);
  must(verdict.status.includes(status ?? -1), `the source ended with ${status}`);
  const documents = source.documents() as (MigrationReport | FailureReport)[];
  must(documents.length === 1, `${documents.length} documents`);
  const [document] = documents;
  if (document?.outcome !== 'failed') {
    must(verdict.code === undefined, 'it completed');
    return;
  }
  const { error, owner, safeNext } = document;
  must(verdict.code?.includes(error.code) === true, `the source says ${error.code}: ${error.message}`);
  must(verdict.owner?.includes(owner) ?? true, `the source says that the owner is ${owner}`);
  must(safeNext !== '' && error.message !== '', 'it does not say what to do');
}

async function judgeDestination(cell: EndingCell, destination: PeerProcess): Promise<void> {
  const said = lastWordsOf(cell);
  await destination.until('say what became of the guest', () => said.test(destination.stderr), RUN_MS);
  // One whose guest has ended here ends as well, by itself.
  if (destination.stderr.includes('no guest came') || isAlive(cell)) destination.interrupt();
  const { status, signal } = await destination.end(RUN_MS);
  must(signal === null, `the node was ended by ${signal}`);
  must(status !== 1, 'the node met a bug');
}

/** Whether the guest is at the destination and goes on there, or does not go on without anybody noticing. */
function isAlive({ phase, ending }: EndingCell): boolean {
  return ending === 'halt' || ending === 'loop' || (phase === 'auditing' && ending !== 'crash');
}

function lastWordsOf(cell: EndingCell): RegExp {
  if (cell.ending === 'loop') return /in one slice|cannot go on|no guest/;
  if (isAlive(cell)) return /is whole and runs here/;
  return cell.ending === 'power-off' ? /powered itself off/ : /no guest came|cannot go on/;
}

function must(holds: boolean, complaint: string): asserts holds {
  if (!holds) throw new Error(complaint);
}
