// The fault connection at the source, over as many sockets as that takes: the newest counts. First it carries the
// switch-over, then the pages that the guest there needs at once. Runs on the tracer's thread.
// Knows frames; what a hand-over is, and when, is tracer/departure.ts.
import { ProtocolError, type MicrostunError } from '../../shared/errors.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import type { PageNumber } from '../../shared/memory/pages.js';
import { connectionEnd, type ConnectionEnd, type EndKind } from '../../shared/wire/connection-end.js';
import { NOTHING_ARRIVED } from '../../shared/wire/greeting.js';
import type { Connection, ConnectionOwner } from '../../shared/wire/connection.js';
import {
  FRAME_HEADER_BYTES,
  FrameReader,
  FrameType,
  refuseFlags,
  type Frame,
} from '../../shared/wire/frames.js';
import { decodeMark } from '../../shared/wire/page-frames.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { Address } from '../../shared/wire/sockets.js';
import { Pacer } from '../pages/pacer.js';
import { FaultLedger, SwitchOverBytes, type FaultBytes } from './fault-ledger.js';
import { PageAnswers } from './page-answers.js';

export interface FaultLineOptions {
  /** Whether the connection is awaited, or dialled, and where. */
  readonly end: EndKind;
  readonly at: Address;
  readonly pass: Pass;
  /** Caps the pages that it sends; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
}

export interface FaultLineEvents {
  /** A connection is up, the first or the next: nothing that was said on the one before need have arrived. */
  connected(): void;
  /** The destination has marked the pages of announcement `number`. */
  announced(number: number): void;
  /** The destination runs the guest. */
  takenOver(): void;
  lost(error: MicrostunError): void;
}

interface Line {
  readonly connection: Connection;
  readonly answers: PageAnswers;
  readonly switchOver: SwitchOverBytes;
  readonly reader: FrameReader;
}

export class FaultLine {
  readonly #views: MemoryViews;
  readonly #events: FaultLineEvents;
  readonly #progress: Float64Array;
  readonly #ledger = new FaultLedger();
  #end: ConnectionEnd | undefined;
  #pacer: Pacer | undefined;
  #line: Line | undefined;
  #connections = 0;
  /** What was said, on all connections together, and not answered. An answer to nothing is none. */
  readonly #unanswered = { ANNOUNCED: 0, TAKEN_OVER: 0 };
  /** Whether the last connection was lost with something half said. The destination hangs up in order when it is done. */
  #wasCutShort = false;
  /** Whether pages may be asked for: the guest is handed over, and they follow. */
  areFaultsServed = false;

  /** `progress`: one double that only this counts up, with bytes that came. */
  constructor(views: MemoryViews, progress: Float64Array, events: FaultLineEvents) {
    this.#views = views;
    this.#progress = progress;
    this.#events = events;
  }

  /**
   * Begins to listen, or dials; answers the port.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(options: FaultLineOptions): Promise<number> {
    const { end, at, pass, bytesPerSecond } = options;
    this.#pacer = bytesPerSecond === undefined ? undefined : new Pacer(bytesPerSecond);
    this.#end = connectionEnd(end, {
      names: { own: 'the fault connection', peer: 'the destination' },
      role: 'faults',
      pass,
      index: 0,
      isReadInPlace: false,
      listenFlag: '--listen',
      arrived: () => NOTHING_ARRIVED,
      up: (connection) => this.#up(connection),
      lost: (error) => {
        this.#lose(error);
      },
    });
    return (await this.#end.open(at)).port;
  }

  /** Gives up what is up or being dialled, and dials. */
  renew(): void {
    this.#drop();
    this.#end?.renew();
  }

  get isUp(): boolean {
    return this.#line !== undefined;
  }

  /** Says a frame of the switch-over, of which `bitmapBytes` are a bitmap. Answers its bytes, none without a connection. */
  write(frame: readonly Uint8Array[], bitmapBytes: number): number {
    const line = this.#line;
    const bytes = line?.connection.write(frame) ?? 0;
    if (line !== undefined && bytes > 0) {
      line.switchOver.bitmap += bitmapBytes;
      line.switchOver.checkpoint += bytes - bitmapBytes;
      this.#awaitAnswer(frame);
    }
    return bytes;
  }

  #awaitAnswer([first]: readonly Uint8Array[]): void {
    if (first?.[0] === FrameType.ANNOUNCEMENT) this.#unanswered.ANNOUNCED++;
    if (first?.[0] === FrameType.HAND_OVER) this.#unanswered.TAKEN_OVER++;
  }

  /** Sends pages that follow the guest and were not asked for yet. */
  sendAhead(pages: readonly PageNumber[]): void {
    this.#line?.answers.sendAhead(pages);
  }

  #noteAnswer(name: 'ANNOUNCED' | 'TAKEN_OVER'): void {
    if (this.#unanswered[name] === 0) throw new ProtocolError(`${name} answers nothing that was said`);
    this.#unanswered[name]--;
  }

  /** What all connections carried, and how often one was cut; whole once closed. */
  get bytes(): FaultBytes & { readonly cuts: number } {
    const cuts = Math.max(0, this.#connections - 1) + (this.#wasCutShort ? 1 : 0);
    return { ...this.#ledger.bytes, cuts };
  }

  /** Says no more; the connection ends in order, and nobody comes in. */
  close(): void {
    this.#drop();
    this.#end?.leave();
  }

  #up(connection: Connection): ConnectionOwner['reads'] {
    this.#connections++;
    this.#wasCutShort = false;
    const before = this.#line;
    this.#drop();
    before?.connection.destroy();
    const answers = new PageAnswers(this.#views, connection, () => this.areFaultsServed, this.#pacer);
    const reader = new FrameReader(['PAGE_WANTED', 'ANNOUNCED', 'TAKEN_OVER']);
    const line: Line = { connection, answers, switchOver: new SwitchOverBytes(), reader };
    this.#line = line;
    this.#events.connected();
    return {
      take: (chunk) => {
        this.#progress[0]! += chunk.length;
        for (const frame of reader.consume(chunk)) this.#take(line, frame);
      },
    };
  }

  #lose(error: MicrostunError): void {
    const line = this.#line;
    if (line !== undefined) {
      const isHalfSaid = line.connection.queuedBytes > 0 || line.reader.pendingBytes > 0;
      this.#wasCutShort = error.code === 'PROTOCOL' || isHalfSaid;
    }
    this.#drop();
    this.#events.lost(error);
  }

  #take({ answers, switchOver }: Line, frame: Frame): void {
    refuseFlags(frame.header);
    switch (frame.header.name) {
      case 'ANNOUNCED':
        this.#noteAnswer('ANNOUNCED');
        switchOver.answers += FRAME_HEADER_BYTES + frame.body.length;
        this.#events.announced(decodeMark(frame.body)[0]);
        return;
      case 'TAKEN_OVER':
        this.#noteAnswer('TAKEN_OVER');
        decodeMark(frame.body);
        switchOver.answers += FRAME_HEADER_BYTES + frame.body.length;
        this.#events.takenOver();
        return;
      default:
        answers.take(frame);
    }
  }

  // What the connection took is counted, not what was given to it.
  #drop(): void {
    if (this.#line !== undefined) this.#ledger.noteClosed(this.#line.connection, this.#line.switchOver);
    this.#line = undefined;
  }
}
