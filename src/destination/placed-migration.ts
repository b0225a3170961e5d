// A migration as the node that gives it a place sees it, wherever it runs: in this process, or in its guest's own.
// Types only.
import type { UnclaimedConnection } from '../shared/wire/control.js';
import type { Message } from '../shared/wire/messages.js';
import type { IncomingState } from './states/states.js';

/** How it ended; `refused`: its guest did not come. */
export interface PlacedResult {
  readonly kind: string;
}

export interface PlacedMigration<Result extends PlacedResult> {
  readonly id: string;
  /** Whoever speaks for its source has it. */
  readonly ticket: string;
  readonly phase: IncomingState['name'];
  /** Whether its source went away before the hand-over: it may come back, but another migration may take the place. */
  readonly isAbandoned: boolean;
  /** Whether the guest is this side's, and its migration is not over. */
  readonly isHandedOver: boolean;
  /** Whether its guest waits for pages that a source has which is away. */
  readonly isSourceMissed: boolean;
  /** What a source that comes back after the end is told. */
  readonly lastMessages: readonly Message[];
  attach(offered: UnclaimedConnection): void;
  makeWay(): Promise<void>;
  cancel(reason: string): void;
  run(): Promise<Result>;
}
