// Guests, regions and streams for the tests of the page connections.
// Knows no socket: a stream is bytes, and whoever reads it is fed them in pieces.
import { crc32 } from 'node:zlib';
import { NewestPages } from '../../src/destination/pages/newest-pages.js';
import { pagesOf } from '../../src/destination/pages/incoming-round.js';
import { PageReceiver, type RegionOrder } from '../../src/destination/pages/page-receiver.js';
import { allocatePlacementGate, PlacementGate } from '../../src/destination/pages/placement-gate.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { allocateMemory, viewMemory, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, regionCountOf } from '../../src/shared/memory/pages.js';
import { FRAME_HEADER_BYTES, FrameReader, FrameType, type Frame } from '../../src/shared/wire/frames.js';
import { headBytesOf, type RegionHead } from '../../src/shared/wire/page-frames.js';
import { RegionWriter } from '../../src/source/pages/region-writer.js';

export function guestOf(pageCount: number): MemoryViews {
  return viewMemory(allocateMemory(pageCount * PAGE_BYTES));
}

export function pageOf(views: MemoryViews, page: number): Uint8Array {
  return views.segments[0]!.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
}

/** Fills a page with bytes of its own that tell page and version; version 0 is a zero page. */
export function write(views: MemoryViews, page: number, version: number): void {
  const bytes = pageOf(views, page);
  bytes.fill(0);
  if (version === 0) return;
  const words = new Uint32Array(
    views.segments[0]!.buffer,
    views.segments[0]!.pagesOffset + page * PAGE_BYTES,
    PAGE_BYTES / 4,
  );
  for (let index = 0; index < words.length; index++) words[index] = (version << 24) + page * 1024 + index;
}

export function allPages(pageCount: number): PageBitmap {
  const bitmap = new PageBitmap(pageCount);
  bitmap.fill();
  return bitmap;
}

export function somePages(pageCount: number, ...pages: readonly number[]): PageBitmap {
  const bitmap = new PageBitmap(pageCount);
  for (const page of pages) bitmap.add(page);
  return bitmap;
}

/** The PAGES frames of `pages` as they would cross the wire now. */
export function regionsOf(source: MemoryViews, pages: PageBitmap, round: number, flags = 0): Buffer {
  const writer = new RegionWriter(source);
  const parts: Uint8Array[] = [];
  for (let region = 0; region < regionCountOf(source.pageCount); region++) {
    parts.push(...(writer.frame(pages, round, region, flags)?.parts ?? []));
  }
  return Buffer.concat(parts);
}

/** Hands `bytes` to the receiver as reads of at most `chunkBytes()` do. Throws as the receiver does. */
export function feed(
  receiver: PageReceiver,
  bytes: Uint8Array,
  chunkBytes: () => number = () => Infinity,
): void {
  for (let at = 0; at < bytes.length;) {
    const { target } = receiver;
    if (target.length === 0) throw new Error('the receiver has no room for the next bytes');
    const read = Math.min(target.length, bytes.length - at, chunkBytes());
    target.set(bytes.subarray(at, at + read));
    receiver.advance(read);
    at += read;
  }
}

/** As `feed`; whether the bytes were refused. Anything but ProtocolError is thrown on. */
export function isRefused(receiver: PageReceiver, bytes: Uint8Array): boolean {
  try {
    feed(receiver, bytes);
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return true;
    throw error;
  }
}

/** An order that takes any region, and counts. */
export class AnyOrder implements RegionOrder {
  regions = 0;
  pages = 0;

  check(): void {
    // Anything may come.
  }

  notePlaced(head: RegionHead): void {
    this.regions++;
    this.pages += pagesOf(head);
  }
}

/** The whole frames in `bytes`. */
export function framesIn(bytes: Buffer): Frame[] {
  return new FrameReader().consume(bytes);
}

/**
 * A receiver over `views` that takes regions in `order`, and what it told: the frames, and how many pages it placed in a
 * running guest.
 */
export function receiverOver<Order extends RegionOrder = AnyOrder>(
  views: MemoryViews,
  order: Order = new AnyOrder() as unknown as Order,
  pageChecks = false,
): {
  receiver: PageReceiver;
  order: Order;
  gate: PlacementGate;
  frames: Frame[];
  arrivals: () => number;
} {
  const frames: Frame[] = [];
  let arrivals = 0;
  const gate = new PlacementGate(allocatePlacementGate(views.pageCount), views.pageCount, 1);
  const checked = new NewestPages(gate.newestPages, { index: 0, receivers: 1 });
  const receiver = new PageReceiver(views, order, gate, checked, {
    frame: (frame) => frames.push(frame),
    arrived: (pages) => {
      arrivals += pages;
    },
  });
  receiver.pageChecks = pageChecks;
  return { receiver, order, gate, frames, arrivals: () => arrivals };
}

export function isSame(one: MemoryViews, other: MemoryViews): boolean {
  return isSameBytes(one.segments[0]!.bytes, other.segments[0]!.bytes);
}

const zeros = Buffer.alloc(2 * 1024 * 1024);
const outsideStates = Buffer.alloc(1024 * 1024, PageState.OUTSIDE);

/** Whether all that lies around a fresh guest's pages and their states is as it was: zero, and OUTSIDE. */
export function isUntouchedAround({ segments, memoryBytes, pageTable, pageCount }: MemoryViews): boolean {
  const { buffer, pagesOffset } = segments[0]!;
  const between = new Uint8Array(buffer, pageTable.length, pagesOffset - pageTable.length);
  const behind = new Uint8Array(buffer, pagesOffset + memoryBytes);
  return (
    isSameBytes(pageTable.subarray(pageCount), outsideStates.subarray(pageCount)) &&
    isSameBytes(between, zeros.subarray(0, between.length)) &&
    isSameBytes(behind, zeros.subarray(0, behind.length))
  );
}

export function isSameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** The stream with the check of each frame put right, as a peer who means harm would. */
export function sealed(stream: Buffer): Buffer {
  const bytes = Buffer.from(stream);
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length;) {
    const body = at + FRAME_HEADER_BYTES;
    const bodyBytes = bytes.readUInt32BE(at + 4);
    const checkedBytes = bytes[at] === FrameType.PAGES ? headBytesOf(bytes[at + 1]!) : bodyBytes;
    const own = crc32(bytes.subarray(at, at + 8));
    bytes.writeUInt32BE(crc32(bytes.subarray(body, body + checkedBytes), own), at + 8);
    at = body + bodyBytes;
  }
  return bytes;
}
