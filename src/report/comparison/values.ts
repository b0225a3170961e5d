// Values of a comparison as people read them: short, alike in all columns, "–" where there is none.
// Pure; shared by the table in the terminal and the one in the page.
import type { Unit } from './metrics.js';
import type { ComparisonSubject } from './comparison.js';
import { formatBytes, formatCount, formatMemory, formatMs } from '../../shared/units.js';

export const MISSING = '–';

/** At most eight characters for what a migration can measure. */
export function formatValue(unit: Unit, value: number | null): string {
  if (value === null || !Number.isFinite(value)) return MISSING;
  switch (unit) {
    case 'ms':
      return value === 0 ? '0 ms' : formatMs(value);
    case 'bytes':
      return formatBytes(value < 1024 ? Math.round(value) : value);
    case 'share':
      return `${percents(value)} %`;
    case 'count':
      return Number.isInteger(value) || Math.abs(value) >= 100 ? formatCount(value) : value.toFixed(1);
  }
}

/** The unit that `value` is written in, and how much one of it is; none where a plain number is written. */
export function scaleFor(
  unit: Unit,
  value: number,
): { readonly name: string; readonly one: number } | undefined {
  const [, name = ''] = formatValue(unit, value).split(' ');
  const one = scales.get(name);
  return one === undefined ? undefined : { name, one };
}

/** Both quartiles in the unit of the larger one: "9.81–12.3 ms". One value where they read the same. */
export function formatRange(unit: Unit, lower: number | null, upper: number | null): string {
  if (lower === null || upper === null) return MISSING;
  const scale = scaleFor(unit, Math.abs(lower) > Math.abs(upper) ? lower : upper);
  const format = (value: number): string => {
    if (scale === undefined) return formatValue(unit, value);
    if (unit === 'share') return percents(value);
    return scale.name === 'B' ? String(Math.round(value)) : digits(value / scale.one);
  };
  const [from, to] = [format(lower), format(upper)];
  const range = from === to ? to : lower < 0 ? `${from} to ${to}` : `${from}–${to}`;
  return scale === undefined ? range : `${range} ${scale.name}`;
}

/** "×0.45", five characters at the most. */
export function formatRatio(ratio: number | null): string {
  if (ratio === null) return '';
  if (ratio >= 999.5) return '×999+';
  if (ratio > 0 && ratio < 0.005) return '×<.01';
  return `×${digits(ratio)}`;
}

/** The guest as words: `hot-set, 256 MiB, …`. */
export function describeGuest(subject: ComparisonSubject): string {
  const { program, memoryBytes, residentBytes, vcpus, seed, writeRate } = subject;
  const rate = writeRate === 'max' ? 'as fast as it can' : perhaps(writeRate, formatCount, 'page writes/s');
  return [
    program === null ? 'program differs' : `"${program}"`,
    memoryBytes === null || residentBytes === null
      ? 'memory differs'
      : formatMemory(memoryBytes, residentBytes),
    vcpus === 1 ? '1 vCPU' : perhaps(vcpus, String, 'vCPUs'),
    rate,
    seed === null ? 'seed differs' : `seed ${seed}`,
  ].join(', ');
}

/** The link as words. */
export function describeLink({ connections, bandwidthBytesPerSecond, delayMs }: ComparisonSubject): string {
  const rate =
    bandwidthBytesPerSecond === 'unlimited'
      ? 'bandwidth not limited'
      : perhaps(bandwidthBytesPerSecond, formatBits, 'bandwidth');
  return [
    connections === 1 ? '1 connection' : perhaps(connections, String, 'connections'),
    rate,
    delayMs === null
      ? 'delay differs'
      : delayMs === 0
        ? 'no delay added'
        : `round trips ${formatMs(delayMs)} longer`,
  ].join(', ');
}

function perhaps(value: number | null, format: (value: number) => string, noun: string): string {
  return value === null ? `${noun} differ` : `${format(value)} ${noun}`;
}

function formatBits(bytesPerSecond: number): string {
  const bits = 8 * bytesPerSecond;
  const [unit, name] = bits >= 1e9 ? [1e9, 'Gbit/s'] : bits >= 1e6 ? [1e6, 'Mbit/s'] : [1e3, 'kbit/s'];
  return `${String(Number((bits / unit).toPrecision(3)))} ${name}`;
}

/** How much one of a unit is, in what values are measured in. */
const scales: ReadonlyMap<string, number> = new Map([
  ['µs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['TiB', 1024 ** 4],
  ['%', 0.01],
]);

/** Three digits, as units.ts has them. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return value.toFixed(0);
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function percents(share: number): string {
  const value = 100 * share;
  return Math.abs(value) < 9.95 ? value.toFixed(1) : value.toFixed(0);
}
