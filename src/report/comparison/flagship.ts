// The flagship of comparisons: five logics on a guest of 24 TiB, and what VMware has published of one of that size.
// Pure: settings, and a finished comparison as a short table of figures. How it is shown is flagship-text.ts and html/.
import type { Comparison, ComparisonCell, Setting } from './comparison.js';
import type { Unit } from './metrics.js';

const MEMORY = '24TiB';
const MEMORY_BYTES = 24 * 1024 ** 4;

/** What a command line with `--flagship` says beside it, unless it says something else. */
export const flagshipFlags: readonly (readonly [flag: string, value: string])[] = [
  ['--memory', MEMORY],
  ['--resident', '1GiB'],
  ['--vcpus', '8'],
  ['--runs', '3'],
];

/** All in the mode of the shared flags, hybrid unless one says so: as vMotion's, the last pages follow after the stun. */
export const flagshipSettings: readonly Setting[] = [
  setting('before 7', 'the logic before vSphere 7', 'all-vcpus', 'raw'),
  setting('bitmap alone', 'that, compacted bitmap', 'all-vcpus', 'compacted'),
  setting('tracer alone', 'that, dedicated tracer', 'dedicated', 'raw'),
  setting('vSphere 7', 'the logic of vSphere 7: both', 'dedicated', 'compacted'),
  setting('ours', 'the bitmap ahead of the stun', 'dedicated', 'ahead'),
];

function setting(name: string, summary: string, trace: string, bitmap: string): Setting {
  return { name, summary, flags: ['--trace', trace, '--bitmap', bitmap] };
}

/** A figure of the short table, and which row of the comparison it is. */
export interface FlagshipColumn {
  readonly id: string;
  /** Two lines of a table's head. */
  readonly head: readonly [above: string, below: string];
  readonly unit: Unit;
}

export const flagshipColumns: readonly FlagshipColumn[] = [
  { id: 'guestGapMs', head: ['stood', 'still'], unit: 'ms' },
  { id: 'stunMs', head: ['stop to', 'answer'], unit: 'ms' },
  { id: 'networkMs', head: ['of it', 'network'], unit: 'ms' },
  { id: 'bitmapBytes', head: ['bitmap', 'in stun'], unit: 'bytes' },
  { id: 'longestTraceStopMs', head: ['longest', 'trace stop'], unit: 'ms' },
  { id: 'totalMs', head: ['total', 'time'], unit: 'ms' },
];

/** What VMware has said of 24 TB, one text a column; none where it has said nothing. */
export const published: readonly { readonly name: string; readonly texts: readonly (string | null)[] }[] = [
  { name: 'vMotion before 7', texts: [null, null, '2 s', '768 MiB', 'all vCPUs', null] },
  { name: 'vMotion in 7', texts: [null, null, '175 ms', null, 'one vCPU', null] },
];

/** What is and what is not to be read in the figures side by side. */
export const comparability =
  'VMware’s are the times that the bitmap took, of a guest with all of 24 TB resident, between hosts and over a network ' +
  'of their own, and who stopped to install traces; ours has 1 GiB of its 24 TiB resident and moves between two processes ' +
  'of one machine: the raw bitmap is the same 768 MiB, and all else follows what was touched.';

/** Whether what was measured is of the size that VMware speaks of. */
export function isOfPublishedSize({ subject }: Comparison): boolean {
  return subject.memoryBytes === MEMORY_BYTES;
}

/** The cell of a setting in a column; undefined where the comparison has none. */
export function flagshipCell(
  { rows }: Comparison,
  { id }: FlagshipColumn,
  settingAt: number,
): { readonly place: string; readonly cell: ComparisonCell } | undefined {
  const at = rows.findIndex((row) => row.id === id);
  const cell = rows[at]?.cells[settingAt];
  return cell === undefined ? undefined : { place: `rows.${at}.cells.${settingAt}.median`, cell };
}
