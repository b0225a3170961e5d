// The fault matrix: every message of the protocol, at three instants, with five faults, each a cell; generated.
// Says who sends a message and in what situation it occurs; fault-cell.ts runs a cell.
import type { StreamFrameName } from '../../src/shared/wire/stream-frames.js';
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
  | 'source-dials-post-copy'
  | 'verified'
  | 'refusal';

export interface Situation {
  readonly sourceFlags: readonly string[];
  readonly destinationFlags: readonly string[];
  /** Until the guest is audited at the destination; a moment by default. */
  readonly auditAfter?: string;
  /** Whether the migration goes through when nothing is disturbed. */
  readonly completes: boolean;
}

const SOURCE_DIALS = ['--dial', 'source'];
const POST_COPY = ['--mode', 'post-copy', '--memory', String(1537 * 4096), '--bandwidth', '50Mbit'];
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
  verified: { sourceFlags: ['--verify'], destinationFlags: [], completes: true },
  // Several regions and a slow link: the guest needs pages that the push has not brought yet.
  'post-copy': {
    sourceFlags: POST_COPY,
    destinationFlags: [],
    completes: true,
  },
  // The same two, with every connection dialled by the source.
  'source-dials': { sourceFlags: SOURCE_DIALS, destinationFlags: [], completes: true },
  'source-dials-post-copy': {
    sourceFlags: [...SOURCE_DIALS, ...POST_COPY],
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
  /** Whether it is met on a page or fault connection, and not on control. */
  readonly isOfWorkers?: boolean;
}

/** Who sends each message, and where it is met. A message that is missing here fails the compiler and the test. */
const senders: Readonly<Record<Exclude<FrameName, StreamFrameName>, readonly Omit<Row, 'message'>[]>> = {
  // Both sides dial: the source for control, the destination for pages and faults; so both greet and both welcome. Where
  // the source dials all, each does so on either kind of connection.
  HELLO: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'source', situation: 'source-dials', isOfWorkers: true },
  ],
  WELCOME: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'source', situation: 'hybrid' },
    { sender: 'destination', situation: 'source-dials', isOfWorkers: true },
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
  ANNOUNCED: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'destination', situation: 'source-dials' },
  ],
  HAND_OVER: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'compacted' },
    { sender: 'source', situation: 'pre-copy' },
    { sender: 'source', situation: 'source-dials' },
  ],
  TAKEN_OVER: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'destination', situation: 'pre-copy' },
    { sender: 'destination', situation: 'source-dials' },
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
  VERIFIED: [{ sender: 'destination', situation: 'verified' }],
  HASHES: [{ sender: 'source', situation: 'verified' }],
  PAGES: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'post-copy' },
    { sender: 'source', situation: 'source-dials' },
    { sender: 'source', situation: 'source-dials-post-copy' },
  ],
  ROUND_END: [
    { sender: 'source', situation: 'hybrid' },
    { sender: 'source', situation: 'post-copy' },
  ],
  ROUND_PLACED: [
    { sender: 'destination', situation: 'hybrid' },
    { sender: 'destination', situation: 'post-copy' },
    { sender: 'destination', situation: 'source-dials' },
  ],
  PAGE_WANTED: [
    { sender: 'destination', situation: 'post-copy' },
    { sender: 'destination', situation: 'source-dials-post-copy' },
  ],
  PAGE_SENT: [
    { sender: 'source', situation: 'post-copy' },
    { sender: 'source', situation: 'source-dials-post-copy' },
  ],
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
  const rows: readonly Omit<Row, 'message'>[] =
    message in senders ? senders[message as keyof typeof senders] : [];
  return rows.map((row) => ({
    message,
    ...row,
  }));
}

/** The whole matrix, row by row. */
export function allCells(): Cell[] {
  return (Object.keys(FrameType) as FrameName[]).flatMap(rowsOf).flatMap(cellsOf);
}

function cellsOf(row: Row): Cell[] {
  return INSTANTS.flatMap((when) => FAULTS.map((what) => ({ ...row, when, what })));
}

/**
 * A sample that is always the same: every row, every fault and every instant is in it. Two cells of each row; one, where
 * the same message is met in another row with the source dialling, or not. Steps of 7 through the 15 cells of a row meet
 * every fault and every instant in turn.
 */
export function sampledCells(): Cell[] {
  let step = 0;
  return (Object.keys(FrameType) as FrameName[]).flatMap((message) => {
    const rows = rowsOf(message);
    const isShared = rows.some(({ situation }) => situation.startsWith('source-dials'));
    return rows.flatMap((row) => {
      const cells = cellsOf(row);
      return Array.from({ length: isShared ? 1 : 2 }, () => cells[(step++ * 7) % cells.length]!);
    });
  });
}

export function nameOf({ message, sender, situation, when, what }: Cell): string {
  return `${message} from the ${sender} (${situation}): ${what} ${when}`;
}
