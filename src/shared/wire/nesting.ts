// A look at a msgpack body before msgpack-lite decodes it: how deep it nests, and how much it announces.
// The library allocates what a container announces, at every depth; a hostile body of kilobytes could ask for gigabytes.
import { ProtocolError } from '../errors.js';

/** A body is a map, of lists, of rows of bytes or maps; no message needs more. */
const DEPTH_MAX = 4;
/** Items of all containers together. */
const ITEMS_MAX = 4096;

/** @throws ProtocolError when the body nests too deep, announces more than it holds, or is cut short. */
export function checkNesting(bytes: Buffer, name: string): void {
  /** Items still to come in each open container. */
  const open: number[] = [1];
  let items = 0;
  let at = 0;
  while (open.length > 0) {
    const left = open[open.length - 1]!;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = left - 1;
    if (at >= bytes.length) throw new ProtocolError(`the body of ${name} is not msgpack: it is cut short`);
    const { next, children } = itemAt(bytes, at, name);
    at = next;
    if (at > bytes.length) throw new ProtocolError(`the body of ${name} is not msgpack: it is cut short`);
    if (children === undefined) continue;
    items += children;
    if (children > bytes.length - at || items > ITEMS_MAX)
      throw new ProtocolError(`the body of ${name} announces ${children} items`);
    if (open.length > DEPTH_MAX) throw new ProtocolError(`the body of ${name} nests too deep`);
    open.push(children);
  }
}

interface Item {
  /** Where the next item begins, or this container's first. */
  readonly next: number;
  /** How many items a container holds, keys and values alike. */
  readonly children?: number;
}

// The msgpack specification's table of formats.
function itemAt(bytes: Buffer, at: number, name: string): Item {
  const type = bytes[at]!;
  const first = at + 1;
  if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) return { next: first };
  if (type <= 0x8f) return { next: first, children: 2 * (type & 0x0f) };
  if (type <= 0x9f) return { next: first, children: type & 0x0f };
  if (type <= 0xbf) return { next: first + (type & 0x1f) };
  const length = (size: 1 | 2 | 4): number => {
    if (first + size > bytes.length)
      throw new ProtocolError(`the body of ${name} is not msgpack: it is cut short`);
    return bytes.readUIntBE(first, size);
  };
  switch (type) {
    case 0xc4:
    case 0xd9:
      return { next: first + 1 + length(1) };
    case 0xc5:
    case 0xda:
      return { next: first + 2 + length(2) };
    case 0xc6:
    case 0xdb:
      return { next: first + 4 + length(4) };
    case 0xcc:
    case 0xd0:
      return { next: first + 1 };
    case 0xcd:
    case 0xd1:
      return { next: first + 2 };
    case 0xca:
    case 0xce:
    case 0xd2:
      return { next: first + 4 };
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return { next: first + 8 };
    case 0xdc:
      return { next: first + 2, children: length(2) };
    case 0xdd:
      return { next: first + 4, children: length(4) };
    case 0xde:
      return { next: first + 2, children: 2 * length(2) };
    case 0xdf:
      return { next: first + 4, children: 2 * length(4) };
    default:
      throw new ProtocolError(
        `the body of ${name} holds a value of type 0x${type.toString(16)}, which no message has`,
      );
  }
}
