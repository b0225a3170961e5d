// How long a frame of each type may be.
// Knows types and numbers; what is in a frame is its codec's.
import { DEVICE_CONNECTIONS_MAX } from './guest/devices/device-windows.js';
import type { FrameName } from './wire/frames.js';

/** Bytes of one stream that travel in one frame: no stream keeps others waiting for long. */
export const STREAM_BYTES_MAX = 64 << 10;

/** Bitmaps have at most a bit for each page that a guest can have touched: 8 TiB (layout.ts), and what stands before it. */
const BITMAP_FRAME_BYTES_MAX = (1 << 28) + (64 << 10);

/** The longest body that a frame of each type may have; checked before a byte of it is kept. docs/protocol.md. */
export const BODY_BYTES_MAX: Readonly<Record<FrameName, number>> = {
  HELLO: 1024,
  WELCOME: 1024,
  REFUSAL: 8192,
  PREPARE: 16 * 1024,
  LISTENING: 1024,
  PREPARED: 1024,
  PING: 64,
  PONG: 64,
  RESUMED: 16 * 1024,
  ARRIVED: 16 * 1024,
  AUDITED: 320 * 1024,
  CANCEL: 8192,
  FAREWELL: 64,
  SAMPLES: 17 * 1024,
  VERIFIED: 16 * 1024,
  PAGES: 3 * 1024 * 1024,
  ROUND_END: 64,
  ROUND_PLACED: 64,
  HASHES: 4232,
  PAGE_WANTED: 64,
  PAGE_SENT: 4104,
  ANNOUNCEMENT: BITMAP_FRAME_BYTES_MAX,
  ANNOUNCED: 64,
  HAND_OVER: BITMAP_FRAME_BYTES_MAX,
  TAKEN_OVER: 64,
  REGIONS: 64 * 1024,
  BITMAP_CHUNK: 1 << 16,
  // A list of as many streams as a device has connections, at the most.
  STREAM_OWNER: 24 + 16 * DEVICE_CONNECTIONS_MAX,
  STREAM_OPEN: 64,
  STREAM_BYTES: 8 + STREAM_BYTES_MAX,
  STREAM_ACK: 8 * DEVICE_CONNECTIONS_MAX,
  STREAM_END: 64,
  STREAM_CLOSED: 64,
  STREAM_GONE: 64,
};
