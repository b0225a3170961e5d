// The taking over of a guest, on the fetcher's thread alone: what is announced is marked, the hand-over is read, checked,
// marked, restored and answered, and the vCPUs are told to run. Nothing else runs in between, and nothing is waited for.
// Whether the guest may be taken over is the gate's to say; the main thread hears of it after.
import { monotonicUs } from '../shared/clock.js';
import { ProtocolError } from '../shared/errors.js';
import { putCheckpoint } from '../shared/guest/checkpoint.js';
import { complaintAboutStates } from '../shared/guest/devices/device-state.js';
import { putTidings } from '../shared/guest/notices.js';
import { assertAllParked } from '../shared/guest/safepoint-trouble.js';
import type { SharedMachine } from '../shared/guest/shared-machine.js';
import type { HandOverGate } from '../shared/memory/hand-over-gate.js';
import { viewMemory, type MemoryViews } from '../shared/memory/layout.js';
import { PageBitmap } from '../shared/memory/page-bitmap.js';
import { markAbsent, traceArrived, unmarkAbsent } from '../shared/memory/placement.js';
import { PageState, REGION_PAGES } from '../shared/memory/pages.js';
import { pagesInUse, RegionDirectory } from '../shared/memory/regions.js';
import type { SafepointControl } from '../shared/memory/safepoint-control.js';
import { Command } from '../shared/memory/safepoint-words.js';
import { looksFor } from '../shared/spare-cores.js';
import { encodeMark } from '../shared/wire/page-frames.js';
import {
  decodeAnnouncement,
  decodeHandOver,
  decodeRegions,
  type HandOver,
} from '../shared/wire/switch-over-frames.js';
import { ChunkReader } from './chunk-reader.js';
import { IncomingRegions } from './incoming-regions.js';
import { checkLastRound, checkRegions, expandBitmap } from './hand-over-check.js';
import type { PlacementGate } from './pages/placement-gate.js';

/** The guest is this side's. Instants are `monotonicUs`. */
export interface TakenOver {
  readonly pagesFollow: boolean;
  /** Pages that it lacks. */
  readonly lackingPages: number;
  readonly receivedAt: number;
  readonly validatedAt: number;
  /** What it lacks is marked. */
  readonly markedAt: number;
  /** The answer is given to the connection; the vCPUs are told to run right after. */
  readonly answeredAt: number;
}

export interface TakeOverParts {
  readonly machine: SharedMachine;
  readonly safepoints: Pick<
    SafepointControl,
    'handOver' | 'command' | 'alert' | 'areAllParked' | 'state' | 'vcpus' | 'lackingPages'
  >;
  readonly placement: Pick<PlacementGate, 'shut' | 'newestPages' | 'placedRound'>;
  readonly gate: Pick<HandOverGate, 'isOpen' | 'isPassed' | 'pass'>;
  /** Whether pages that are here are traced, so that the first store to each is seen: the guest is to be compared. */
  readonly traces: boolean;
  /**
   * A guest in segments takes more than it had when it came: so many bytes in all.
   * @throws MicrostunError INSUFFICIENT_MEMORY when they are not there.
   */
  checkRoom(bytes: number): void;
  /** Answers on the connection in use, if there is one. */
  answer(frame: Uint8Array): void;
  /** A hand-over came, and its last pages did not yet. */
  placing(): void;
  takenOver(facts: TakenOver): void;
  /** What the source said is wrong, or the guest cannot be resumed. */
  declined(error: unknown): void;
}

const NOTHING = { number: 0, pages: 0 };

/** A hand-over that waits for its last pages. */
interface Waiting {
  readonly handOver: HandOver;
  readonly late: PageBitmap;
  readonly receivedAt: number;
  readonly validatedAt: number;
}

export class TakeOver {
  readonly #parts: TakeOverParts;
  readonly #views: MemoryViews;
  #announced: { readonly number: number; readonly pages: number; readonly bitmap?: PageBitmap } = NOTHING;
  #waiting: Waiting | undefined;
  readonly #regions: IncomingRegions | undefined;
  #chunks: ChunkReader | undefined;
  #finalRound = 0;
  /** What was declined is refused, as soon as the main thread hears of it. */
  #isDeclined = false;

  constructor(parts: TakeOverParts) {
    this.#parts = parts;
    this.#views = viewMemory(parts.machine.memory);
    const { regions } = this.#views;
    if (regions instanceof RegionDirectory)
      this.#regions = new IncomingRegions(regions, (bytes) => {
        parts.checkRoom(bytes);
      });
    // Slots of one in segments follow as they are told.
    else if (parts.traces) traceArrived(this.#views, 0, this.#views.pageCount);
  }

  /** Another connection: a raw bitmap that was cut off comes again from its beginning. */
  connected(): void {
    this.#chunks = undefined;
  }

  /**
   * Gives regions the slots that they have at the source. Said again after a cut, it says the same. The first come while
   * the place is still being made ready.
   */
  takeRegions(body: Buffer): void {
    if (this.#parts.gate.isPassed || this.#isDeclined) return;
    this.#attempt(() => {
      const regions = decodeRegions(body);
      if (this.#regions === undefined)
        throw new ProtocolError('the guest lies in one piece, and REGIONS came');
      this.#regions.place(regions);
      if (this.#parts.traces)
        for (const [slot] of regions)
          traceArrived(this.#views, slot * REGION_PAGES, (slot + 1) * REGION_PAGES);
    });
  }

  /** Takes the next chunk of a raw bitmap; the hand-over comes behind the last. */
  takeChunk(body: Buffer): void {
    const regions = this.#regions;
    if (!this.#isAwaited) return;
    this.#attempt(() => {
      if (regions === undefined)
        throw new ProtocolError('the guest lies in one piece, and BITMAP_CHUNK came');
      this.#chunks ??= new ChunkReader(this.#views, (region) => regions.slotOf(region));
      this.#chunks.take(body);
    });
  }

  /** Marks what the source announces, in place of what it announced before. Said again after a cut, it is answered again. */
  announce(body: Buffer): void {
    // A guest that runs here, or is refused, needs no announcement: it is one that came late.
    if (!this.#isAwaited) return;
    this.#attempt(() => {
      this.#markAnnounced(body);
    });
  }

  #markAnnounced(body: Buffer): void {
    const { safepoints } = this.#parts;
    const { number, bitmap } = decodeAnnouncement(body);
    const pages = expandBitmap(bitmap, this.#views);
    if (this.#announced.bitmap !== undefined) unmarkAbsent(this.#views, this.#announced.bitmap, this.#here);
    markAbsent(this.#views, pages);
    this.#announced = { number, pages: pages.count(), bitmap: pages };
    this.#parts.answer(encodeMark('ANNOUNCED', number, this.#announced.pages));
    // The hand-over comes next.
    safepoints.alert(looksFor(safepoints.vcpus));
  }

  /** Takes the guest over, or waits for its last pages; a hand-over that was answered is answered again. */
  handOver(body: Buffer): void {
    const receivedAt = monotonicUs();
    const { gate } = this.#parts;
    if (gate.isPassed) this.#answer();
    // It is said again while the last pages are on their way, or to whom has refused it.
    else if (this.#isAwaited)
      this.#attempt(() => {
        this.#receive(body, receivedAt);
      });
  }

  /** A round is placed: it may be the one that a hand-over waits for. */
  roundPlaced(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#attempt(() => {
      this.#proceed(waiting);
    });
  }

  /** The state of a page that is here before the guest is. */
  get #here(): typeof PageState.PRESENT | typeof PageState.TRACED {
    return this.#parts.traces ? PageState.TRACED : PageState.PRESENT;
  }

  get #isAwaited(): boolean {
    return this.#parts.gate.isOpen && this.#waiting === undefined && !this.#isDeclined;
  }

  #attempt(take: () => void): void {
    try {
      take();
    } catch (error) {
      // Nothing fails once the gate is passed; what does ends this thread, and the main thread knows what that means.
      if (this.#parts.gate.isPassed) throw error;
      this.#waiting = undefined;
      this.#isDeclined = true;
      this.#parts.declined(error);
    }
  }

  #receive(body: Buffer, receivedAt: number): void {
    const { machine, safepoints } = this.#parts;
    const { spec } = machine;
    const handOver = decodeHandOver(body, spec.vcpus, spec.devices.length);
    if (handOver.announcement !== 0 && handOver.announcement !== this.#announced.number)
      throw new ProtocolError(
        `the hand-over builds on announcement ${handOver.announcement}, and the last that came was ${this.#announced.number}`,
      );
    const complaint = complaintAboutStates(spec.devices, handOver.devices);
    if (complaint !== undefined) throw new ProtocolError(complaint);
    const late = this.#latePages(handOver);
    assertAllParked(safepoints, spec.program);
    this.#proceed({ handOver, late, receivedAt, validatedAt: monotonicUs() });
  }

  #latePages({ regions, chunks, bitmap }: HandOver): PageBitmap {
    const told = this.#regions?.count ?? 0;
    if (regions !== told)
      throw new ProtocolError(`the hand-over is of ${regions} regions, and ${told} were told`);
    const late = expandBitmap(bitmap, this.#views);
    const came = this.#chunks?.count ?? 0;
    if (chunks !== came)
      throw new ProtocolError(`the hand-over builds on ${chunks} chunks of a bitmap, and ${came} came`);
    if (this.#chunks === undefined) return late;
    const { pages } = this.#chunks;
    checkRegions(pages, this.#views);
    return pages;
  }

  // No page may be on its way when the guest is taken over: the last round before that is placed on every connection.
  #proceed(waiting: Waiting): void {
    const { placement } = this.#parts;
    const { pagesFollow, finalRound } = waiting.handOver;
    const lastRound = pagesFollow ? finalRound - 1 : finalRound;
    const placed = placement.placedRound(lastRound);
    if (placed === 'earlier' && !pagesFollow) {
      if (this.#waiting === undefined) this.#parts.placing();
      this.#waiting = waiting;
      return;
    }
    if (placed !== 'whole')
      throw new ProtocolError(
        `the hand-over says that round ${lastRound} was the last before it; it was not`,
      );
    if (!placement.shut())
      throw new ProtocolError('a region of pages was on its way when the guest was handed over');
    if (!pagesFollow) this.#checkLast(waiting);
    this.#take(waiting);
  }

  // What the last round of a pre-copy brought is what was announced and what was dirtied since.
  #checkLast({ handOver, late }: Waiting): void {
    const { bitmap } = this.#announced;
    const lacking = new PageBitmap(pagesInUse(this.#views));
    lacking.words.set(late.words.subarray(0, lacking.words.length));
    if (handOver.announcement !== 0 && bitmap !== undefined)
      bitmap.words.forEach((word, index) => (lacking.words[index]! |= word));
    const lackingPages = lacking.count();
    if (handOver.finalPages !== lackingPages)
      throw new ProtocolError(`the bitmap names ${lackingPages} pages, the hand-over ${handOver.finalPages}`);
    checkLastRound(lacking, this.#parts.placement.newestPages);
  }

  // The guest is this side's once the gate is passed. The answer goes before the vCPUs take the cores.
  #take({ handOver, late, receivedAt, validatedAt }: Waiting): void {
    const { machine, safepoints, gate } = this.#parts;
    if (!gate.pass()) return;
    this.#waiting = undefined;
    const lackingPages = this.#mark(handOver, late);
    safepoints.handOver(lackingPages);
    const markedAt = monotonicUs();
    putCheckpoint(machine, handOver, markedAt);
    putTidings(machine, { moved: true, stoppedAtUs: handOver.stoppedAtUs });
    this.#finalRound = handOver.finalRound;
    const answeredAt = monotonicUs();
    this.#answer();
    safepoints.command(Command.RUN);
    safepoints.alert(0);
    const { pagesFollow } = handOver;
    this.#parts.takenOver({ pagesFollow, lackingPages, receivedAt, validatedAt, markedAt, answeredAt });
  }

  // Answers how many pages are lacking.
  #mark({ announcement, pagesFollow }: HandOver, late: PageBitmap): number {
    const { bitmap, pages } = this.#announced;
    if (bitmap !== undefined && (announcement === 0 || !pagesFollow))
      unmarkAbsent(this.#views, bitmap, this.#here);
    if (!pagesFollow) return 0;
    return (announcement === 0 ? 0 : pages) + markAbsent(this.#views, late);
  }

  #answer(): void {
    this.#parts.answer(encodeMark('TAKEN_OVER', this.#finalRound, this.#parts.safepoints.lackingPages));
  }
}
