// Bodies of messages, whole and mangled, for the tests of the codec.
// Knows the layout of a body, not what its fields mean.
import { ProtocolError } from '../../src/shared/errors.js';
import { encodeBody } from '../../src/shared/wire/fields.js';
import {
  decodeHeader,
  encodeHeader,
  FRAME_HEADER_BYTES,
  type FrameName,
} from '../../src/shared/wire/frames.js';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageName,
} from '../../src/shared/wire/messages.js';

/** Body bytes of a message, as they lie in its frame. */
export function bodyOf(message: Message): Buffer {
  return Buffer.concat(encodeMessage(message)).subarray(FRAME_HEADER_BYTES);
}

/** The fields of a message, as its body has them. */
export function fieldsOf(message: Message): Record<string, unknown> {
  return Object.fromEntries(Object.entries(message).filter(([field]) => field !== 'name'));
}

export function decode(name: FrameName, body: Buffer, flags = 0): Message {
  // The body may be longer than any frame of its kind: what it means is refused all the same.
  const header = { ...decodeHeader(encodeHeader(name, 0, flags, [])), bodyBytes: body.length };
  return decodeMessage({ header, body });
}

export function decodeFields(name: MessageName, fields: object): Message {
  return decode(name, encodeBody(fields));
}

/** Decodes; whether it was refused. Anything but ProtocolError is the test's failure. */
export function isRefused(name: MessageName, body: Buffer): boolean {
  try {
    decode(name, body);
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return true;
    throw error;
  }
}

/** A message with its bytes as text, so that buffers and arrays of the same bytes are equal. */
export function plain(message: Message): unknown {
  return Object.fromEntries(Object.entries(message).map(([field, value]) => [field, plainValue(value)]));
}

/** As `plain`, of one value. */
export function plainValue(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength).toString('hex');
  }
  return Array.isArray(value) ? value.map(plainValue) : value;
}
