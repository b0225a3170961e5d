// A place for a guest that is fed a fault connection's stream, as the fetcher takes it: whatever comes, the guest is taken
// over once and whole, or not at all, and nothing but what was marked or fetched is other than before.
// Knows the take-over from outside; where its input comes from is the tests'.
import { MicrostunError, ProtocolError } from '../../../src/shared/errors.js';
import { rawBitmapBytes } from '../../../src/shared/memory/compacted-bitmap.js';
import { PageState } from '../../../src/shared/memory/pages.js';
import { placeAbsentPage } from '../../../src/shared/memory/placement.js';
import { CHUNK_BYTES, CLEAR_CHUNK } from '../../../src/shared/memory/space-bitmap.js';
import { refuseFlags, type Frame } from '../../../src/shared/wire/frames.js';
import { decodePageSent } from '../../../src/shared/wire/page-frames.js';
import { PlacedFrameReader } from '../../../src/shared/wire/placed-frames.js';
import { decodeHandOver, HAND_OVER_BYTES_MAX } from '../../../src/shared/wire/switch-over-frames.js';
import { TakeOverSite, type IncomingSegments } from '../take-over-site.js';

const FRAMES = ['PAGE_SENT', 'ANNOUNCEMENT', 'HAND_OVER', 'REGIONS', 'BITMAP_CHUNK'] as const;

export class FuzzedTakeOver {
  readonly #site: TakeOverSite;
  readonly #registers: string[] = [];

  constructor(segments?: IncomingSegments) {
    this.#site = new TakeOverSite(segments);
  }

  get isTakenOver(): boolean {
    return this.#site.gate.isPassed;
  }

  /** Throws where it does anything that it may not. */
  take(stream: Buffer): void {
    const { views } = this.#site;
    const reader = new PlacedFrameReader({
      expected: FRAMES,
      bodyBytesMax: Math.max(CHUNK_BYTES, rawBitmapBytes(views.pageCount) + HAND_OVER_BYTES_MAX),
      known: { name: 'BITMAP_CHUNK', body: CLEAR_CHUNK },
      take: (frame) => {
        this.#takeFrame(frame);
      },
    });
    try {
      for (let at = 0; at < stream.length;) {
        const { target } = reader;
        const part = stream.subarray(at, at + target.length);
        target.set(part);
        reader.advance(part.length);
        at += part.length;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    this.#look();
  }

  #takeFrame({ header, body }: Frame): void {
    const { takeOver, views, placement, machine } = this.#site;
    refuseFlags(header);
    switch (header.name) {
      case 'ANNOUNCEMENT':
        takeOver.announce(body);
        return;
      case 'HAND_OVER':
        try {
          // The receivers have placed what it says that they have.
          const { finalRound, pagesFollow, registers } = decodeHandOver(
            body,
            machine.spec.vcpus,
            machine.spec.devices.length,
          );
          const last = pagesFollow ? finalRound - 1 : finalRound;
          if (placement.placedRound(0) === 'earlier') this.#site.placed(last);
          this.#registers.push(registers.join());
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
        takeOver.handOver(body);
        return;
      case 'REGIONS':
        takeOver.takeRegions(body);
        return;
      case 'BITMAP_CHUNK':
        takeOver.takeChunk(body);
        return;
      default: {
        const { page, bytes } = decodePageSent(body, views.pageCount);
        placeAbsentPage(views, page, bytes);
      }
    }
  }

  #look(): void {
    const { log, declined, views, safepoints } = this.#site;
    const times = (what: string): number => log.filter((one) => one === what).length;
    const isTaken = this.isTakenOver;
    if (times('RUN') !== (isTaken ? 1 : 0)) throw new Error(`the vCPUs were told to run: ${log.join(', ')}`);
    if (times('taken over') !== (isTaken ? 1 : 0)) throw new Error(`it was taken over: ${log.join(', ')}`);
    if (times('declined') > 1) throw new Error(`it was declined twice: ${log.join(', ')}`);
    if (isTaken && declined !== undefined)
      throw new Error(`it was declined and taken over: ${log.join(', ')}`);
    if (declined !== undefined && !(declined instanceof MicrostunError)) throw declined as Error;
    if (safepoints.isHandedOver !== isTaken) throw new Error('the safepoints say otherwise');
    // No more than was said is absent; slot 0 and what lies outside stay what they were.
    const { pageTable, pageCount, regions } = views;
    for (let page = 0; page < pageCount; page++) {
      const state = pageTable[page]!;
      const isOfNobody = regions.first > 0 && page < 512;
      if (isOfNobody ? state !== PageState.OUTSIDE : state > PageState.ABSENT && state !== PageState.OUTSIDE)
        throw new Error(`page ${page} is in state ${state}`);
    }
  }
}
