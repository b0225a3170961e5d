// The rows of the key-value store: its throughput beside redis-server's, and what clients see when it is moved.
// Each run of one side is followed by one of the other, so that whatever else the machine does meets both.
import { atLeast, atMost, figureOf, unknown, type Figure } from '../figures.js';
import { median } from '../statistics.js';
import { isRedisHere, measureThroughput, moveUnderClients, type StoreMove, type Way } from '../store-move.js';

const RUNS = 5;
const REQUESTS = { 1: 100_000, 16: 800_000 } as const;
/** Of redis-server's throughput. */
const SHARE = 0.3;
/** A client's longest gap, beyond the stun. */
const GAP_MS = 10;
const AROUND_MS = 1500;
const WAYS: readonly Way[] = ['directly', 'by a gateway'];

export async function keyValueRow(runs = RUNS): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const pipeline of [1, 16] as const) {
    const label = (command: string): string => `${command} against redis-server, -P ${pipeline}`;
    if (!isRedisHere) {
      const remark = 'redis-server and redis-benchmark are not installed: apt install redis';
      for (const command of ['SET', 'GET'])
        figures.push(unknown(label(command), '×', atLeast(SHARE), remark));
      continue;
    }
    const results = await measureThroughput(runs, pipeline, REQUESTS[pipeline]);
    for (const command of ['SET', 'GET'] as const) {
      const ratios = results.map(([ours, theirs]) => ours[command] / theirs[command]);
      const rates = [0, 1].map((side) => median(results.map((both) => both[side as 0 | 1][command])));
      const remark = `${rates[0]!.toFixed(0)} of ${rates[1]!.toFixed(0)} a second`;
      figures.push(figureOf(label(command), '×', ratios, atLeast(SHARE), remark));
    }
  }
  const moves = new Map<Way, StoreMove[]>(WAYS.map((way) => [way, []]));
  for (let run = 0; run < runs; run++)
    for (const way of WAYS) moves.get(way)!.push(await moveUnderClients(way, AROUND_MS));
  return [...figures, ...WAYS.flatMap((way) => figuresOf(way, moves.get(way)!))];
}

function figuresOf(way: Way, moves: readonly StoreMove[]): Figure[] {
  const stuns = moves.map(({ report }) => report.stun.stunMs);
  const gaps = moves.map(({ clients }) => Math.max(...clients.map(({ gapsMs }) => Math.max(...gapsMs))));
  const latencies = moves.flatMap(({ clients }) => clients.flatMap(({ latenciesMs }) => latenciesMs));
  const errors = moves.map(({ clients }) => clients.reduce((sum, client) => sum + client.errors, 0));
  const acknowledged = moves.flatMap(({ clients }) => clients.map((client) => client.acknowledged));
  const lost = moves.flatMap((move) => move.lost);
  const total = acknowledged.reduce((sum, count) => sum + count, 0);
  return [
    figureOf(`stun of a move under clients that come ${way}`, 'ms', stuns),
    figureOf("  a client's longest gap", 'ms', gaps),
    figureOf(
      '  that gap beyond the stun',
      'ms',
      gaps.map((gap, move) => gap - stuns[move]!),
      atMost(GAP_MS),
    ),
    figureOf('  latency of a write, median', 'ms', latencies),
    figureOf('  latency of a write, 99 in 100', 'ms', latencies, undefined, undefined, 0.99),
    figureOf('  connections that ended or were refused', '', errors),
    figureOf('  acknowledged writes lost', '', [lost.length], atMost(0), lost[0] ?? `of ${total}`),
  ];
}
