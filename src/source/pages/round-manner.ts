// How a copier carries a round: in which order, in how large frames, how far ahead of its connection, and with what checks.
// Knows no connection; who writes the frames is copier.ts.
import {
  PAGES_QUEUED,
  PUSH_QUEUED,
  PUSHED_PAGES_MAX,
  STAGED_QUEUED,
  type WaterMarks,
} from '../../shared/limits.js';
import type { FaultWatch } from '../../shared/memory/fault-words.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import { REGION_PAGES } from '../../shared/memory/pages.js';
import { CHECKED, PUSHED } from '../../shared/wire/page-frames.js';
import { CopyOrder, type CopierRegions, type FrameOrder } from './frame-order.js';
import { HashOrder } from './hash-order.js';
import { HashWriter } from './hash-writer.js';
import { PushOrder } from './push-order.js';
import type { RegionFrame } from './region-writer.js';
import type { Staging } from './staging.js';

/**
 * What the guest does while a round is copied: it runs here, it is parked, or it runs at the destination. Hashes are no
 * pages, and follow when all of those have arrived.
 */
export type RoundKind = 'beside-guest' | 'last' | 'push' | 'hashes';

/** The remote page faults beside a push. */
export type FaultsBeside = Pick<FaultWatch, 'takeAsked' | 'holdBack'>;

/** How a round is carried. */
export interface Manner {
  readonly order: FrameOrder;
  /** Of its frames. */
  readonly flags: number;
  /** Where pages are copied first, which may change before they leave. */
  readonly staging?: Staging | undefined;
  /** What makes its frames, where that is not the writer of pages. */
  readonly frameOf?: (region: number) => RegionFrame;
  /** Pages of a frame. */
  readonly pagesMax: number;
  readonly marks: WaterMarks;
  /** Before each frame. */
  readonly holdBack: () => void;
}

/**
 * `PAGES_QUEUED` under TLS, which keeps another copy of what is queued: so much is in a processor's cache still when it is
 * sealed and sent. docs/performance.md.
 */
const ENCRYPTED_QUEUED: WaterMarks = { highBytes: 1 << 20, lowBytes: 1 << 19 };

/** What a copier has for its rounds. */
export interface CopierParts {
  readonly views: MemoryViews;
  readonly regions: CopierRegions;
  readonly faults: FaultsBeside;
  readonly pageChecks: boolean;
  readonly isEncrypted: boolean;
  readonly staging: Staging | undefined;
}

/** `isStopped`: no further region of it is begun. */
export function mannerOf(
  kind: RoundKind,
  round: number,
  parts: CopierParts,
  isStopped: () => boolean,
): Manner {
  switch (kind) {
    case 'beside-guest':
    case 'last':
      return copied(kind, parts, isStopped);
    case 'push':
      return pushed(parts);
    case 'hashes':
      return hashed(round, parts);
  }
}

// In order and as fast as it goes. What is parked cannot change on its way.
function copied(
  kind: 'beside-guest' | 'last',
  { views, regions, pageChecks, isEncrypted, staging }: CopierParts,
  isStopped: () => boolean,
): Manner {
  const order = new CopyOrder(views, regions, isStopped);
  const flags = pageChecks ? CHECKED : 0;
  const manner = { order, flags, pagesMax: REGION_PAGES, holdBack: () => undefined };
  return kind === 'last' || staging === undefined
    ? { ...manner, marks: isEncrypted ? ENCRYPTED_QUEUED : PAGES_QUEUED }
    : { ...manner, marks: STAGED_QUEUED, staging };
}

// In small frames, yielding to remote page faults.
function pushed({ views, regions, faults, pageChecks }: CopierParts): Manner {
  return {
    order: new PushOrder(views, regions, views.lateWords, () => faults.takeAsked()),
    flags: PUSHED | (pageChecks ? CHECKED : 0),
    pagesMax: PUSHED_PAGES_MAX,
    marks: PUSH_QUEUED,
    holdBack: () => {
      faults.holdBack();
    },
  };
}

// Of all pages, in order; what there is of them is made frame by frame.
function hashed(round: number, { views, regions }: CopierParts): Manner {
  const writer = new HashWriter(views);
  return {
    order: new HashOrder(writer.regionsOf(regions)),
    flags: 0,
    pagesMax: REGION_PAGES,
    marks: PAGES_QUEUED,
    holdBack: () => undefined,
    frameOf: (region) => writer.frame(round, region),
  };
}
