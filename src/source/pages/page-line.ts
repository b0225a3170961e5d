// A copier's page connection, over as many sockets as that takes: the newest counts. Writes as fast as the bandwidth and
// the peer allow, and counts. Knows frames and bytes; what is sent is copier.ts's.
import { monotonicUs } from '../../shared/clock.js';
import { MicrostunError } from '../../shared/errors.js';
import type { WaterMarks } from '../../shared/limits.js';
import { ConnectionWatch } from '../../shared/wire/connection-watch.js';
import type { Connection, ConnectionOwner } from '../../shared/wire/connection.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from '../../shared/wire/frames.js';
import type { ArrivedSoFar } from '../../shared/wire/greeting.js';
import { Pacer, piecesOf } from './pacer.js';

/** What a connection's bytes were besides regions, and what its sockets counted in all. */
export interface ConnectionBytes {
  readonly control: number;
  readonly socket: number;
  readonly wire: number;
  /** How often the connection was cut and made again. */
  readonly cuts: number;
}

/** How often a connection is looked at while a round is under way. */
const LOOK_MS = 1000;

/** A connection together with what fails when it is lost. */
export interface Line {
  readonly connection: Connection;
  readonly lost: Promise<never>;
}

export class PageLine {
  readonly #received: (frame: Frame) => void;
  readonly #pacer: Pacer | undefined;
  #line: Line | undefined;
  /** Fails what waits for the line in use. */
  #failLine: (error: MicrostunError) => void = () => undefined;
  #attached: (() => void) | undefined;
  #controlBytes = 0;
  #closedSocketBytes = 0;
  #closedWireBytes = 0;
  #connections = 0;
  /** What the destination said of the connection that came last. */
  arrived: ArrivedSoFar = { round: 0, regions: 0 };

  /** `bytesPerSecond` caps what this connection sends; undefined: as fast as it goes. */
  constructor(bytesPerSecond: number | undefined, received: (frame: Frame) => void) {
    this.#pacer = bytesPerSecond === undefined ? undefined : new Pacer(bytesPerSecond);
    this.#received = received;
  }

  /** Takes a greeted connection, the first or the next; answers what reads it. */
  attach(connection: Connection, arrived: ArrivedSoFar): ConnectionOwner['reads'] {
    this.lose(new MicrostunError('CONNECTION_LOST', 'there is a new connection'));
    this.#connections++;
    this.#controlBytes += connection.greetingBytes;
    this.arrived = arrived;
    let fail: (error: MicrostunError) => void = () => undefined;
    const lost = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    lost.catch(() => undefined);
    this.#line = { connection, lost };
    this.#failLine = fail;
    const reader = new FrameReader(['ROUND_PLACED']);
    this.#attached?.();
    return {
      take: (chunk) => {
        for (const frame of reader.consume(chunk)) {
          this.#controlBytes += FRAME_HEADER_BYTES + frame.body.length;
          this.#received(frame);
        }
      },
    };
  }

  /** The connection is lost by `error`, if there is one. */
  lose(error: MicrostunError): void {
    const line = this.#line;
    if (line === undefined) return;
    this.#line = undefined;
    this.#closedSocketBytes += line.connection.carriedBytes;
    this.#closedWireBytes += line.connection.wireBytes;
    line.connection.destroy();
    this.#failLine(asConnectionLost(error));
  }

  /** Gives up connections on which nothing moves, until what it answers is called. */
  watchForStall(): () => void {
    // A destination whose host acknowledges nothing for long has lost the connection, even if it seems up. What our own
    // kernel takes is no measure of that: behind megabytes that it holds, a slow link lives on while it takes nothing.
    const watch = new ConnectionWatch();
    let watched: Connection | undefined;
    const looks = setInterval(() => {
      const connection = this.#line?.connection;
      if (connection !== watched) watch.begin();
      watched = connection;
      if (watch.isStill(monotonicUs() / 1000, connection?.counts)) {
        const why = 'the destination acknowledges nothing on a page connection';
        connection?.giveUp(new MicrostunError('CONNECTION_LOST', why));
      }
    }, LOOK_MS);
    return () => {
      clearInterval(looks);
    };
  }

  get bytes(): ConnectionBytes {
    return {
      control: this.#controlBytes,
      socket: this.#closedSocketBytes + (this.#line?.connection.carriedBytes ?? 0),
      wire: this.#closedWireBytes + (this.#line?.connection.wireBytes ?? 0),
      cuts: Math.max(0, this.#connections - 1),
    };
  }

  /** Bytes that the kernel took or brought, over all connections: what does not change does not move. */
  get movedBytes(): number {
    const connection = this.#line?.connection;
    const open = connection === undefined ? 0 : connection.carriedBytes - connection.queuedBytes;
    return this.#closedSocketBytes + open;
  }

  /** Says no more: the connection is left to who made it. */
  end(): void {
    this.#line = undefined;
  }

  /** The line in use, or the next. */
  async connected(): Promise<Line> {
    for (;;) {
      if (this.#line !== undefined) return this.#line;
      await new Promise<void>((resolve) => {
        this.#attached = resolve;
      });
    }
  }

  // Piece by piece as the bandwidth allows. A connection that is lost meanwhile has told so.
  async #writePaced(
    { connection, lost }: Line,
    parts: readonly Uint8Array[],
    pacer: Pacer,
    taken?: () => void,
  ): Promise<void> {
    const pieces = piecesOf(parts, pacer.pieceBytes);
    for (const [index, piece] of pieces.entries()) {
      await Promise.race([pacer.take(piece.length), lost]);
      if (!connection.isOpen) await lost;
      connection.write([piece], index === pieces.length - 1 ? taken : undefined);
    }
  }

  /**
   * Writes `parts` as one, and waits until there is room for more by `marks`. `taken`: the kernel has them, or they are
   * lost with the connection.
   * @throws MicrostunError CONNECTION_LOST.
   */
  async write(
    line: Line,
    parts: readonly Uint8Array[],
    marks: WaterMarks,
    taken?: () => void,
  ): Promise<void> {
    const { connection, lost } = line;
    // One that takes nothing any more is lost, or will be by the time it is closed.
    if (!connection.isOpen) await lost;
    if (this.#pacer !== undefined) await this.#writePaced(line, parts, this.#pacer, taken);
    else connection.write(parts, taken);
    if (connection.queuedBytes > marks.highBytes) await Promise.race([lost, connection.room(marks)]);
  }
}

// Damaged bytes end the connection and not the round: it goes on over the next one.
function asConnectionLost(error: MicrostunError): MicrostunError {
  if (error.code === 'CONNECTION_LOST') return error;
  return new MicrostunError('CONNECTION_LOST', `a page connection was given up: ${error.message}`, {
    cause: error,
  });
}
