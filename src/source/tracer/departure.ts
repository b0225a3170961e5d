// A guest's leaving, from the announcement to the answer, on the tracer's thread alone: nothing else runs between the
// command to park and the hand-over's way to the socket, and no other event loop stands in between.
// Knows the tracer and the fault connection; when a guest is to leave, and what its answer means, is not its business.
import { monotonicUs } from '../../shared/clock.js';
import { takeCheckpoint } from '../../shared/guest/checkpoint.js';
import { assertAllParked } from '../../shared/guest/safepoint-trouble.js';
import { countersOf, Counter, type SharedMachine } from '../../shared/guest/shared-machine.js';
import type { HandOverGate } from '../../shared/memory/hand-over-gate.js';
import type { PageNumber } from '../../shared/memory/pages.js';
import type { Regions } from '../../shared/memory/regions.js';
import type { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { Command } from '../../shared/memory/safepoint-words.js';
import { encodeAnnouncement, encodeChunk, encodeHandOver } from '../../shared/wire/switch-over-frames.js';
import type { FaultLine } from '../faults/fault-line.js';
import { dirtySnapshot, type DirtySnapshot } from './dirty-snapshot.js';
import { ToldRegions } from './told-regions.js';
import type { BitmapLogic, LastHarvest, Tracer } from './tracer.js';

/** How the guest is to leave. */
export interface SwitchOver {
  /** The round that brings its last pages. */
  readonly round: number;
  readonly pagesFollow: boolean;
  /** So many pages at the most go right behind the hand-over, unasked. */
  readonly aheadMax: number;
  /** With more last pages than this they follow, all the same. */
  readonly pagesMax: number;
  readonly logic: BitmapLogic;
  /** Nothing was copied: every page is lacking (post-copy). */
  readonly everything: boolean;
  /** How far the destination's clock is ahead, as far as it is known. */
  readonly aheadUs: number;
}

/** What went ahead of the stun. */
export interface Announced {
  readonly pages: number;
  readonly bytes: number;
  /** From its encoding until the destination said that it had marked its pages. */
  readonly durationMs: number;
}

/** The guest has left. Instants are `monotonicUs`. */
export interface Departed {
  /** When the vCPUs were told to park. */
  readonly stopAt: number;
  /** When the hand-over was given to the connection. */
  readonly sentAt: number;
  readonly last: LastHarvest;
  readonly pagesFollow: boolean;
  /** When each vCPU's last slice ended. */
  readonly lastSliceEndAt: readonly number[];
  readonly announced: Announced | null;
  /** All that the destination lacks. */
  readonly dirty: DirtySnapshot;
}

export type DepartureLine = Pick<FaultLine, 'isUp' | 'write' | 'sendAhead' | 'areFaultsServed'>;

export interface DepartureParts {
  readonly machine: SharedMachine;
  /** Of its memory. */
  readonly regions: Regions;
  readonly safepoints: Pick<SafepointControl, 'command' | 'areAllParked' | 'state' | 'vcpus'>;
  readonly tracer: Pick<Tracer, 'announce' | 'takeLast' | 'dirty'>;
  readonly gate: Pick<HandOverGate, 'pass' | 'isOpen'>;
  readonly line: DepartureLine;
  /** Which of all pages that the destination lacks, so many, it gets unasked and first (pages-ahead.ts). */
  ahead(lackingPages: number, pagesMax: number): readonly PageNumber[];
  departed(departed: Departed): void;
  /** It did not leave: what was thrown, or undefined when it may not leave any more. */
  stayed(error: unknown): void;
}

type Stage =
  | { readonly name: 'none' }
  /** Nothing is said yet: there is no connection to say it on. */
  | { readonly name: 'waiting'; readonly how: SwitchOver }
  | {
      readonly name: 'announcing';
      readonly how: SwitchOver;
      readonly frame: readonly Uint8Array[];
      readonly bitmapBytes: number;
      readonly pages: number;
      readonly from: number;
    }
  /** The hand-over is said again on every new connection until it is answered. */
  | {
      readonly name: 'handed-over';
      /** What goes before it in frames of its own. */
      readonly chunks: readonly Uint8Array[];
      readonly frame: readonly Uint8Array[];
      readonly bitmapBytes: number;
    };

export class Departure {
  readonly #parts: DepartureParts;
  #stage: Stage = { name: 'none' };
  #announcements = 0;
  readonly #toldRegions: ToldRegions;

  constructor(parts: DepartureParts) {
    this.#parts = parts;
    this.#toldRegions = new ToldRegions(parts.regions);
  }

  /** Tells the destination which regions have got a slot since. Without a connection all of them are told on the next. */
  tellRegions(): void {
    for (const frame of this.#toldRegions.frames()) this.#parts.line.write(frame, 0);
  }

  /** Begins; the guest runs on until there is a connection, and what goes ahead of the stun has arrived. */
  begin(how: SwitchOver): void {
    this.#stage = { name: 'waiting', how };
    if (this.#parts.line.isUp) this.#goOn(how);
  }

  /** A connection is up: what was said on the one before may have been lost. */
  connected(): void {
    const stage = this.#stage;
    this.#toldRegions.forget();
    this.tellRegions();
    if (stage.name === 'waiting') this.#goOn(stage.how);
    else if (stage.name === 'announcing') this.#parts.line.write(stage.frame, stage.bitmapBytes);
    else if (stage.name === 'handed-over') this.#writeHandOver(stage);
  }

  #writeHandOver({ chunks, frame, bitmapBytes }: Extract<Stage, { name: 'handed-over' }>): void {
    const { line } = this.#parts;
    for (const chunk of chunks) line.write(encodeChunk(chunk), chunk.length);
    line.write(frame, bitmapBytes);
  }

  #goOn(how: SwitchOver): void {
    if (how.logic === 'ahead') this.#announce(how);
    else this.#leave(how, null);
  }

  #announce(how: SwitchOver): void {
    const { tracer, line } = this.#parts;
    const from = monotonicUs();
    const { pages, bitmap } = tracer.announce(how.everything);
    const frame = encodeAnnouncement({ number: ++this.#announcements, bitmap });
    this.#stage = { name: 'announcing', how, frame, bitmapBytes: bitmap.length, pages, from };
    this.tellRegions();
    line.write(frame, bitmap.length);
  }

  /** The destination has marked the pages of an announcement: nothing but the difference is left for the stun. */
  announced(number: number): void {
    const stage = this.#stage;
    if (stage.name !== 'announcing' || number !== this.#announcements) return;
    const durationMs = (monotonicUs() - stage.from) / 1000;
    this.#leave(stage.how, { pages: stage.pages, bytes: stage.bitmapBytes, durationMs });
  }

  /** The guest is the destination's: the hand-over is not said again. */
  takenOver(): void {
    if (this.#stage.name === 'handed-over') this.#stage = { name: 'none' };
  }

  /** The guest stays, or has gone: nothing more is said. */
  end(): void {
    const isUnderWay = this.#stage.name === 'waiting' || this.#stage.name === 'announcing';
    this.#stage = { name: 'none' };
    this.#parts.line.areFaultsServed = false;
    if (isUnderWay) this.#parts.stayed(undefined);
  }

  #leave(how: SwitchOver, announced: Announced | null): void {
    this.#stage = { name: 'none' };
    try {
      const departed = this.#stopAndHandOver(how, announced);
      if (departed === undefined) this.#parts.stayed(undefined);
      else this.#parts.departed(departed);
    } catch (error) {
      this.#parts.stayed(error);
    }
  }

  // The stun begins here. What is not needed for the hand-over comes after it is written.
  #stopAndHandOver(how: SwitchOver, announced: Announced | null): Departed | undefined {
    const { machine, safepoints, regions, tracer, gate, line } = this.#parts;
    if (!gate.isOpen) return undefined;
    const stopAt = monotonicUs();
    safepoints.command(Command.PARK);
    const last = tracer.takeLast(how.logic, how.everything);
    assertAllParked(safepoints, machine.spec.program);
    const checkpoint = takeCheckpoint(machine);
    const pagesFollow = how.pagesFollow || last.dirtyPages > how.pagesMax;
    // Those that were touched since the announcement.
    this.tellRegions();
    const frame = encodeHandOver({
      announcement: announced === null ? 0 : this.#announcements,
      pagesFollow,
      finalRound: how.round,
      finalPages: pagesFollow ? 0 : last.dirtyPages,
      regions: this.#toldRegions.regionCount,
      chunks: last.chunks.length,
      ...checkpoint,
      stoppedAtUs: Math.max(0, stopAt + how.aheadUs),
      bitmap: last.bitmap,
    });
    // Whoever shut it meanwhile wants the guest to stay, and lets it run on.
    if (!gate.pass()) return undefined;
    const handedOver = {
      name: 'handed-over',
      chunks: last.chunks,
      frame,
      bitmapBytes: last.bitmap.length,
    } as const;
    this.#stage = handedOver;
    line.areFaultsServed = pagesFollow;
    const sentAt = monotonicUs();
    this.#writeHandOver(handedOver);
    if (pagesFollow) line.sendAhead(this.#parts.ahead(last.dirtyPages, how.aheadMax));
    return {
      stopAt,
      sentAt,
      last,
      pagesFollow,
      lastSliceEndAt: lastSlicesOf(machine),
      announced,
      dirty: dirtySnapshot(tracer.dirty, regions),
    };
  }
}

function lastSlicesOf(machine: SharedMachine): number[] {
  return Array.from(
    { length: machine.spec.vcpus },
    (_, vcpu) => countersOf(machine, vcpu)[Counter.LAST_SLICE_END_AT]!,
  );
}
