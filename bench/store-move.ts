// A key-value store that is moved while clients write: two nodes as a user starts them, and what the clients saw.
// Beside it redis-server and redis-benchmark, where they are installed.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { MigrationReport } from '../src/report/document.js';
import { freePort } from './loopback.js';
import { StoreClient, type ClientView } from './store-client.js';

const entry = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const CLIENTS = 4;

/** Whether redis-server and redis-benchmark are installed. */
export const isRedisHere =
  spawnSync('redis-server', ['--version']).status === 0 &&
  spawnSync('redis-benchmark', ['--version']).status === 0;

/** A process, once it has said what `sought` matches. */
async function started(command: string, args: readonly string[], sought: RegExp): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (text: Buffer): void => {
      said += text.toString();
      if (sought.test(said)) resolve();
    };
    child.stderr.on('data', hear);
    child.stdout.on('data', hear);
    child.once('exit', () => {
      reject(new Error(`${command} ${args.join(' ')} ended:\n${said}`));
    });
  });
  return child;
}

/** How clients come to a store: to the host that has it, or to a gateway that knows where it is. */
export type Way = 'directly' | 'by a gateway';
const deviceFlag = (way: Way): string => (way === 'directly' ? '--publish' : '--carry');

const store = (
  port: number,
  to: string,
  flags: readonly string[],
  way: Way = 'directly',
): Promise<ChildProcess> =>
  started(
    process.execPath,
    [
      entry,
      'source',
      ...['--to', to, '--once', '--json', '--no-audit', '--guest', 'key-value', '--vcpus', '1'],
      ...[deviceFlag(way), `redis=${port}`, '--migrate-after', '1h', ...flags],
    ],
    /service "redis" (?:is|takes gateways) at/,
  );

/** Requests a second by `redis-benchmark`, of SET and of GET. */
export type Throughput = Readonly<Record<'SET' | 'GET', number>>;

/** The store and redis-server in turn, `runs` times, with so many commands on their way at once in each connection. */
export async function measureThroughput(
  runs: number,
  pipeline: number,
  requests: number,
): Promise<readonly (readonly [ours: Throughput, theirs: Throughput])[]> {
  const [ourPort, theirPort] = [await freePort(), await freePort()];
  const ours = await store(ourPort, '127.0.0.1:1', ['--memory', '256MiB']);
  const theirs = await started(
    'redis-server',
    ['--port', `${theirPort}`, '--save', '', '--appendonly', 'no'],
    /ready to accept connections/i,
  );
  try {
    const results: (readonly [Throughput, Throughput])[] = [];
    for (let run = 0; run < runs; run++)
      results.push([
        await benchmark(ourPort, pipeline, requests),
        await benchmark(theirPort, pipeline, requests),
      ]);
    return results;
  } finally {
    ours.kill('SIGKILL');
    theirs.kill('SIGKILL');
  }
}

async function benchmark(port: number, pipeline: number, requests: number): Promise<Throughput> {
  const flags = ['-p', `${port}`, '-t', 'set,get', '-P', `${pipeline}`, '-n', `${requests}`, '--csv'];
  const child = spawn('redis-benchmark', flags, { stdio: ['ignore', 'pipe', 'ignore'] });
  let csv = '';
  child.stdout.on('data', (text: Buffer) => (csv += text.toString()));
  await once(child, 'close');
  const rate = (name: string): number => Number(new RegExp(`"${name}","([0-9.]+)"`).exec(csv)?.[1]);
  return { SET: rate('SET'), GET: rate('GET') };
}

export interface StoreMove {
  readonly report: MigrationReport;
  readonly clients: readonly ClientView[];
  /** Acknowledged writes that are not there any more, a sentence each. */
  readonly lost: readonly string[];
}

/** Moves a store while clients write, `beforeMs` after they began and as long before they stop. */
export async function moveUnderClients(way: Way, aroundMs: number): Promise<StoreMove> {
  const [wire, here, there, door] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const destination = await started(
    process.execPath,
    [
      entry,
      'destination',
      '--listen',
      `127.0.0.1:${wire}`,
      '--once',
      '--no-audit',
      deviceFlag(way),
      `redis=${there}`,
    ],
    /listening|waiting|ready/i,
  );
  const source = await store(here, `127.0.0.1:${wire}`, ['--memory', '64MiB'], way);
  const nodes = ['--node', `127.0.0.1:${here}`, '--node', `127.0.0.1:${there}`];
  const gateway =
    way === 'by a gateway'
      ? await started(
          process.execPath,
          [entry, 'gateway', '--listen', `127.0.0.1:${door}`, ...nodes],
          /a guest is at/,
        )
      : undefined;
  try {
    let json = '';
    source.stdout!.on('data', (text: Buffer) => (json += text.toString()));
    const ended = once(source, 'close');
    const clients = Array.from(
      { length: CLIENTS },
      (_, at) => new StoreClient(`client ${at}`, gateway === undefined ? [here, there] : [door]),
    );
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, aroundMs));
    await pause();
    source.kill('SIGUSR2');
    await ended;
    await pause();
    const views = await Promise.all(clients.map((client) => client.stop()));
    const lost = await Promise.all(clients.map((client) => client.findLost()));
    return { report: JSON.parse(json) as MigrationReport, clients: views, lost: lost.flat() };
  } finally {
    source.kill('SIGKILL');
    destination.kill('SIGKILL');
    gateway?.kill('SIGKILL');
  }
}
