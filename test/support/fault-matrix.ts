// The fault matrix: every message of the protocol, at three instants, with five faults, each a cell; generated.
// Says who sends a message and in what situation it occurs; fault-cell.ts runs a cell.
import { FrameType, type FrameName } from '../../src/shared/wire/frames.js';
import type { WireFault } from './wire-faults.js';

export type Side = 'source' | 'destination';

/** How the two processes are started, so that the message occurs. */
export type SituationName =
  | 'hybrid'
  | 'compacted'
  | 'sampled'
  | 'segments'
  | 'segments-raw'
  | 'pre-copy'
  | 'post-copy'
  | 'overtime'
  | 'source-dials'
  | 'refusal';

export interface Situation {
  readonly sourceFlags: readonly string[];
  readonly destinationFlags: readonly string[];
  /** Until the guest is audited at the destination; a moment by default. */
  readonly auditAfter?: string;
  /** Whether the migration goes through when nothing is disturbed. */
  readonly completes: boolean;
}

const SEGMENTED = ['--memory', '24TiB', '--resident', '4MiB'];

export const situations: Readonly<Record<SituationName, Situation>> = {
  hybrid: { sourceFlags: [], destinationFlags: [], completes: true },
  // Nothing goes ahead of the hand-over.
  compacted: { sourceFlags: ['--bitmap', 'compacted'], destinationFlags: [], completes: true },
  // Two regions, the first and the last of an address space that no buffer holds.
  segments: { sourceFlags: SEGMENTED, destinationFlags: [], completes: true },
  'segments-raw': {
    sourceFlags: [...SEGMENTED, '--bitmap', 'raw'],
    destinationFlags: [],
    completes: true,
  },
  // The guest runs for long enough before its audit to be told of several times.
  sampled: { sourceFlags: [], destinationFlags: [], auditAfter: '1500ms', completes: true },
  'pre-copy': { sourceFlags: ['--mode', 'pre-copy'], destinationFlags: [], completes: true },
  'source-dials': { sourceFlags: ['--dial', 'source'], destinationFlags: [], completes: true },
  // Several regions and a slow link: the guest needs pages that the push has not brought yet.
  'post-copy': {
    sourceFlags: ['--mode', 'post-copy', '--memory', String(1537 * 4096), '--bandwidth', '50Mbit'],
    destinationFlags: [],
    completes: true,
  },
  // The only cancel that needs no exact instant of a signal: rounds that may take no time at all.
  overtime: {
    sourceFlags: ['--mode', 'pre-copy', '--time-limit', '0ms', '--on-timeout', 'abort'],
    destinationFlags: [],
    completes: false,
  },
  refusal: {
    sourceFlags: ['--memory', String(1025 * 4096)],
    destinationFlags: ['--max-memory', '2MiB'],
    completes: false,
  },
};

export interface Row {
  readonly message: FrameName;
  readonly sender: Side;
  readonly situation: SituationName;
}

/** Who sends each message, and where it is met. A message that is missing here fails the compiler and the test. */
const senders: Readonly<Record<FrameName, readonly Omit<Row, 'message'>[]>> = {
  // Both sides dial: the source for control, the destination for pages and faults; so both greet and both welcome.
  HELLO: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'destination', situation: 'hybrid' },
  ],
  WELCOME: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'source', situation: 'hybrid' },
  ],
  REFUSAL: [{ sender: 'destination', situation: 'refusal' }],
  PREPARE: [{ sender: 'source', situation: 'hybrid' }],
  LISTENING: [{ sender: 'destination', situation: 'source-dials' }],
  PREPARED: [{ sender: 'destination', situation: 'hybrid' }],
  REGIONS: [{ sender: 'source', situation: 'segments' }],
  BITMAP_CHUNK: [{ sender: 'source', situation: 'segments-raw' }],
  PING: [{ sender: 'source', situation: 'hybrid' }],
  PONG: [{ sender: 'destination', situation: 'hybrid' }],
  ANNOUNCEMENT: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'pre-copy' },
  ],
  ANNOUNCED: [{ sender: 'destination', situation: 'hybrid' }],
  HAND_OVER: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'compacted' },
    { sender: 'source', situation: 'pre-copy' },
  ],
  TAKEN_OVER: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'destination', situation: 'pre-copy' },
  ],
  RESUMED: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'destination', situation: 'pre-copy' },
  ],
  ARRIVED: [{ sender: 'destination', situation: 'hybrid' }],
  AUDITED: [{ sender: 'destination', situation: 'hybrid' }],
  CANCEL: [{ sender: 'source', situation: 'overtime' }],
  FAREWELL: [{ sender: 'source', situation: 'hybrid' }],
  SAMPLES: [{ sender: 'destination', situation: 'sampled' }],
  PAGES: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'post-copy' },
  ],
  ROUND_END: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'post-copy' },
  ],
  ROUND_PLACED: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'destination', situation: 'post-copy' },
  ],
  PAGE_WANTED: [{ sender: 'destination', situation: 'post-copy' }],
  PAGE_SENT: [{ sender: 'source', situation: 'post-copy' }],
};

export const INSTANTS = ['before', 'middle', 'after'] as const satisfies readonly WireFault['when'][];
export const FAULTS = [
  'cut',
  'kill-peer',
  'kill-self',
  'stall',
  'corrupt',
] as const satisfies readonly WireFault['what'][];

export interface Cell extends Row {
  readonly when: (typeof INSTANTS)[number];
  readonly what: (typeof FAULTS)[number];
}

export function rowsOf(message: FrameName): readonly Row[] {
  return ((senders[message] as (typeof senders)[FrameName] | undefined) ?? []).map((row) => ({
    message,
    ...row,
  }));
}

/** The whole matrix, row by row. */
export function allCells(): Cell[] {
  return (Object.keys(FrameType) as FrameName[])
    .flatMap(rowsOf)
    .flatMap((row) => INSTANTS.flatMap((when) => FAULTS.map((what) => ({ ...row, when, what }))));
}

/** Cells of each row in the sample. Steps of 7 through the 15 meet every fault and every instant in turn. */
const SAMPLED_PER_ROW = 2;

/** A sample that is always the same: every row, every fault and every instant is in it. */
export function sampledCells(): Cell[] {
  const perRow = INSTANTS.length * FAULTS.length;
  const cells = allCells();
  return Array.from({ length: cells.length / perRow }, (_, row) =>
    Array.from(
      { length: SAMPLED_PER_ROW },
      (_unused, index) => cells[row * perRow + (((row * SAMPLED_PER_ROW + index) * 7) % perRow)]!,
    ),
  ).flat();
}

export function nameOf({ message, sender, situation, when, what }: Cell): string {
  return `${message} from the ${sender} (${situation}): ${what} ${when}`;
}
