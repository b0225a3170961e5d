// A copier: sends its share of a round's windows over one page connection and waits until they are placed.
// Owns the connection's conversation, not the listening; runs on a copier worker's thread.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { MicrostunError, ProtocolError, messageOf } from '../shared/errors.js';
import type { MemoryViews } from '../shared/memory/layout.js';
import { PageBitmap } from '../shared/memory/page-bitmap.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from '../shared/wire/frames.js';
import { decodeMark, encodeMark } from '../shared/wire/page-frames.js';
import { WindowWriter } from './window-writer.js';

/** What one connection carried of a round. */
export interface RoundShare {
  readonly round: number;
  readonly sentPages: number;
  readonly zeroPages: number;
  /** Bytes of pages alone. */
  readonly pageBytes: number;
  /** Bytes of frames around them, with the zero pages' bits. */
  readonly framingBytes: number;
}

/** What a connection's bytes were besides windows, and what its sockets counted in all. */
export interface ConnectionBytes {
  readonly control: number;
  readonly socket: number;
}

/** Bytes handed to the socket and not yet to the kernel, at the most; bounds memory and how stale a page can be. */
const QUEUED_BYTES_MAX = 8 << 20;

export class Copier {
  readonly #socket: Socket;
  readonly #views: MemoryViews;
  readonly #writer: WindowWriter;
  readonly #dirty: PageBitmap;
  readonly #reader = new FrameReader();
  #placed: ((round: number, pages: number) => void) | undefined;
  #controlBytes: number;

  /** `greetingBytes`: what the greeting took on this socket, both ways. */
  constructor(
    socket: Socket,
    greetingBytes: number,
    views: MemoryViews,
    onLost: (error: MicrostunError) => void,
  ) {
    this.#socket = socket;
    this.#controlBytes = greetingBytes;
    this.#views = views;
    this.#writer = new WindowWriter(views);
    this.#dirty = new PageBitmap(views.pageCount, views.dirtyWords);
    let isLost = false;
    const lose = (error: MicrostunError): void => {
      if (isLost) return;
      isLost = true;
      socket.destroy();
      onLost(error);
    };
    socket.on('error', (error) => {
      lose(
        new MicrostunError('CONNECTION_LOST', `a page connection was lost: ${messageOf(error)}`, {
          cause: error,
        }),
      );
    });
    socket.on('close', () => {
      lose(new MicrostunError('CONNECTION_LOST', 'a page connection was closed by the destination'));
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of this.#reader.consume(chunk)) this.#receive(frame);
      } catch (error) {
        lose(error instanceof MicrostunError ? error : new ProtocolError(messageOf(error), { cause: error }));
      }
    });
    socket.resume();
  }

  /**
   * Sends windows `index`, `index + stride`, … of the pages in the shared dirty bitmap; a window always travels on the
   * same connection, so an older copy of a page never overtakes a newer one. Resolves when the destination has placed
   * them all. `onProgress` hears the bytes of each window. Never resolves once the connection is lost.
   */
  async copyRound(
    round: number,
    index: number,
    stride: number,
    flags: number,
    onProgress: (pages: number, bytes: number) => void,
  ): Promise<RoundShare> {
    let sentPages = 0;
    let zeroPages = 0;
    let pageBytes = 0;
    let framingBytes = 0;
    for (let window = index; window < this.#views.regionCount; window += stride) {
      const frame = this.#writer.frame(this.#dirty, round, window, flags);
      if (frame === undefined) continue;
      await this.#write(frame.parts);
      sentPages += frame.sentPages;
      zeroPages += frame.zeroPages;
      pageBytes += frame.sentPages * 4096;
      framingBytes += frame.frameBytes - frame.sentPages * 4096;
      onProgress(frame.sentPages + frame.zeroPages, frame.frameBytes);
    }
    const end = encodeMark('ROUND_END', round, sentPages + zeroPages);
    const placed = new Promise<void>((resolve, reject) => {
      this.#placed = (placedRound, pages) => {
        if (placedRound === round && pages === sentPages + zeroPages) resolve();
        else
          reject(
            new ProtocolError(
              `round ${placedRound} with ${pages} pages was acknowledged, not ${round} with ${sentPages + zeroPages}`,
            ),
          );
      };
    });
    await this.#write([end]);
    await placed;
    return { round, sentPages, zeroPages, pageBytes, framingBytes: framingBytes + end.length };
  }

  get bytes(): ConnectionBytes {
    return { control: this.#controlBytes, socket: this.#socket.bytesWritten + this.#socket.bytesRead };
  }

  end(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.end();
  }

  // One writev a window; waits while more than QUEUED_BYTES_MAX are queued.
  async #write(parts: readonly Uint8Array[]): Promise<void> {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
    while (this.#socket.writableLength > QUEUED_BYTES_MAX) await once(this.#socket, 'drain');
  }

  #receive({ header, body }: Frame): void {
    if (header.name !== 'ROUND_PLACED' || this.#placed === undefined) {
      throw new ProtocolError(`the destination sent ${header.name} on a page connection out of turn`);
    }
    this.#controlBytes += FRAME_HEADER_BYTES + body.length;
    const placed = this.#placed;
    this.#placed = undefined;
    placed(...decodeMark(body));
  }
}
