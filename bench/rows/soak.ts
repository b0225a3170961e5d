// The soak: three hundred migrations in one pair of processes, and what they leave behind.
import { atMost, figureOf, type Figure } from '../figures.js';
import { migrateInPair, type NodeUse } from '../pair.js';
import { median } from '../statistics.js';

const HOPS = 300;
const MEMORY_BYTES = 64 * 1024 ** 2;
/** Looked at on either end: the first migrations fill caches and pools. */
const LOOKS = 10;

export async function soakRow(hops = HOPS): Promise<Figure[]> {
  const flags = ['--guest', 'hot-set', '--write-rate', 'max', '--memory', `${MEMORY_BYTES}`];
  const { reports, uses } = await migrateInPair(hops, flags);
  const gaps = reports.map(({ stun }) => stun.guestGapMs);
  const stuns = reports.map(({ stun }) => stun.stunMs);
  return [
    figureOf('migrations that completed, of all', '×', [reports.length / hops]),
    figureOf("guest's own gap", 'ms', gaps),
    figureOf("guest's own gap, p99", 'ms', gaps, undefined, undefined, 0.99),
    figureOf("guest's own gap, longest", 'ms', gaps, undefined, undefined, 1),
    figureOf('stop to answer', 'ms', stuns),
    figureOf('stop to answer, p99', 'ms', stuns, undefined, undefined, 0.99),
    figureOf('stop to answer, longest', 'ms', stuns, undefined, undefined, 1),
    ...uses.flatMap((ofNode, node) => useFigures(`node ${node + 1}`, ofNode)),
  ];
}

// Flat: after hundreds of migrations no more than a quarter of a guest above what it was after the first ones.
function useFigures(name: string, uses: readonly NodeUse[]): Figure[] {
  const early = uses.slice(LOOKS, 2 * LOOKS);
  const late = uses.slice(-LOOKS);
  if (early.length === 0 || uses.length < 3 * LOOKS) return [];
  const grown = (what: (use: NodeUse) => number): readonly [number, number] => [
    median(early.map(what)),
    median(late.map(what)),
  ];
  const mebibytes = grown(({ residentBytes }) => residentBytes / 2 ** 20);
  const descriptors = grown((use) => use.descriptors);
  const threads = grown((use) => use.threads);
  const row = (what: string, unit: string, [from, to]: readonly [number, number], more: number): Figure =>
    figureOf(
      `${name}: ${what} at the end`,
      unit,
      [to],
      atMost(from + more),
      `${from.toFixed(0)} at the beginning`,
    );
  return [
    row('memory', 'MiB', mebibytes, MEMORY_BYTES / 4 / 2 ** 20),
    row('descriptors', '', descriptors, 2),
    row('threads', '', threads, 2),
  ];
}
