// A parser of what a client of Redis says (RESP2, and commands typed by hand): bytes in, the arguments of one command out.
// Pure, and allocates nothing a command: it knows no connection, and keeps nothing between two calls.

/** Arguments of one command, its name among them: a slice looks at all of them, so they are bounded. */
const ARGUMENTS_MAX = 8192;
/** A line that tells a count or a length, or is a command typed by hand, is no longer than this. */
const LINE_BYTES_MAX = 16_384;

const CR = 13;
const LF = 10;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const DOLLAR = 36;
const SINGLE_QUOTE = 39;
const ASTERISK = 42;
const MINUS = 45;
const ZERO = 48;
const BACKSLASH = 92;

/** What came of a look at the bytes. */
export const Parsed = {
  /** A command ends later than the bytes do. */
  PARTLY: 0,
  /** A whole command: its arguments are known, and `end`. */
  COMMAND: 1,
  /** An empty one, up to `end`: nothing is to be done or to be answered. */
  NOTHING: 2,
  /** No command, and never one: `complaint` is to be answered, and the connection to be closed. */
  WRONG: 3,
} as const;
export type Parsed = (typeof Parsed)[keyof typeof Parsed];

const NOT_A_NUMBER = -1;
const LINE_IS_OPEN = -1;

/** One command, as places in the bytes that it was parsed from. */
export class Request {
  /** What was parsed last; quoted arguments of a command typed by hand are unquoted in place. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Where each argument begins, and how many bytes it has. */
  readonly starts = new Int32Array(ARGUMENTS_MAX);
  readonly lengths = new Int32Array(ARGUMENTS_MAX);
  /** How many arguments there are; the first is the command's name. */
  count = 0;
  /** The first byte after the command. */
  end = 0;
  complaint = '';
  readonly #commandBytesMax: number;

  /** A command of more than `commandBytesMax` bytes is refused as soon as that is known. */
  constructor(commandBytesMax: number) {
    this.#commandBytesMax = commandBytesMax;
  }

  /** Looks for a command in `bytes` from `from` to `to`. */
  parse(bytes: Uint8Array, from: number, to: number): Parsed {
    this.bytes = bytes;
    this.count = 0;
    if (from >= to) return Parsed.PARTLY;
    const parsed = bytes[from] === ASTERISK ? this.#parseArray(from, to) : this.#parseLine(from, to);
    // Nothing that comes can complete it: all the room there is has been used.
    return parsed === Parsed.PARTLY && to - from >= this.#commandBytesMax ? this.#tooLong() : parsed;
  }

  /** An argument as text, byte by byte: for names and for words of the protocol. */
  text(argument: number): string {
    const from = this.starts[argument]!;
    let text = '';
    for (let at = from; at < from + this.lengths[argument]!; at++)
      text += String.fromCharCode(this.bytes[at]!);
    return text;
  }

  #parseArray(from: number, to: number): Parsed {
    const { bytes, starts, lengths } = this;
    let lineEnd = endOfLine(bytes, from, to);
    if (lineEnd === LINE_IS_OPEN)
      return to - from > LINE_BYTES_MAX ? this.#wrong('too big mbulk count string') : Parsed.PARTLY;
    const isNone = bytes[from + 1] === MINUS || (bytes[from + 1] === ZERO && lineEnd === from + 2);
    const count = isNone ? 0 : parseCount(bytes, from + 1, lineEnd);
    if (count === NOT_A_NUMBER || (bytes[from + 1] === MINUS && parseCount(bytes, from + 2, lineEnd) <= 0))
      return this.#wrong('invalid multibulk length');
    if (count > ARGUMENTS_MAX)
      return this.#wrong(
        `invalid multibulk length: a command of this guest has ${ARGUMENTS_MAX} arguments at most`,
      );
    let at = lineEnd + 2;
    for (let argument = 0; argument < count; argument++) {
      if (at < to && bytes[at] !== DOLLAR)
        return this.#wrong(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`);
      lineEnd = endOfLine(bytes, at, to);
      if (lineEnd === LINE_IS_OPEN)
        return to - at > LINE_BYTES_MAX ? this.#wrong('too big bulk count string') : Parsed.PARTLY;
      const length = parseCount(bytes, at + 1, lineEnd);
      if (length === NOT_A_NUMBER) return this.#wrong('invalid bulk length');
      at = lineEnd + 2;
      if (at + length + 2 - from > this.#commandBytesMax) return this.#tooLong();
      if (at + length + 2 > to) return Parsed.PARTLY;
      starts[argument] = at;
      lengths[argument] = length;
      at += length + 2;
    }
    this.count = count;
    this.end = at;
    return count === 0 ? Parsed.NOTHING : Parsed.COMMAND;
  }

  #parseLine(from: number, to: number): Parsed {
    const { bytes } = this;
    const lineFeed = bytes.subarray(from, to).indexOf(LF);
    if (lineFeed < 0)
      return to - from > LINE_BYTES_MAX ? this.#wrong('too big inline request') : Parsed.PARTLY;
    this.end = from + lineFeed + 1;
    const lineEnd = lineFeed > 0 && bytes[this.end - 2] === CR ? this.end - 2 : this.end - 1;
    if (!this.#splitWords(from, lineEnd)) return this.#wrong('unbalanced quotes in request');
    return this.count === 0 ? Parsed.NOTHING : Parsed.COMMAND;
  }

  /** Words between blanks, as a shell would see them; false when a quote is not closed, or something follows it at once. */
  #splitWords(from: number, to: number): boolean {
    const { bytes, starts, lengths } = this;
    let at = from;
    let write = from;
    for (;;) {
      while (at < to && isBlank(bytes[at]!)) at++;
      if (at >= to || this.count === ARGUMENTS_MAX) return true;
      const start = write;
      while (at < to && !isBlank(bytes[at]!)) {
        const quote = bytes[at]!;
        if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE) {
          bytes[write++] = bytes[at++]!;
          continue;
        }
        at++;
        while (at < to && bytes[at] !== quote) {
          if (bytes[at] !== BACKSLASH) bytes[write++] = bytes[at++]!;
          else {
            const width = unescape(bytes, at, to, quote);
            bytes[write++] = width.byte;
            at += width.taken;
          }
        }
        if (at >= to || (at + 1 < to && !isBlank(bytes[at + 1]!))) return false;
        at++;
      }
      starts[this.count] = start;
      lengths[this.count++] = write - start;
    }
  }

  #tooLong(): Parsed {
    return this.#wrong(
      `a command of this guest has ${this.#commandBytesMax} bytes at most, its arguments included`,
    );
  }

  #wrong(complaint: string): Parsed {
    this.complaint = `ERR Protocol error: ${complaint}`;
    return Parsed.WRONG;
  }
}

/** Where the CR of the line lies whose LF has come as well. */
function endOfLine(bytes: Uint8Array, from: number, to: number): number {
  // Lines are a few digits long: a loop, and no call out of it.
  for (let at = from; at + 1 < to; at++) if (bytes[at] === CR) return at;
  return LINE_IS_OPEN;
}

/** A decimal number of at most nine digits without a sign or a zero before it. */
function parseCount(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from || to - from > 9 || (bytes[from] === ZERO && to - from > 1)) return NOT_A_NUMBER;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return NOT_A_NUMBER;
    value = value * 10 + digit;
  }
  return value;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13) || byte === 0;
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

/** What a backslash and what follows it stand for; within single quotes only the quote itself is special. */
function unescape(bytes: Uint8Array, at: number, to: number, quote: number): { byte: number; taken: number } {
  const next = at + 1 < to ? bytes[at + 1]! : undefined;
  if (next === undefined) return { byte: BACKSLASH, taken: 1 };
  if (quote === SINGLE_QUOTE)
    return next === SINGLE_QUOTE ? { byte: next, taken: 2 } : { byte: BACKSLASH, taken: 1 };
  const digits = String.fromCharCode(...bytes.subarray(at + 2, Math.min(at + 4, to)));
  if (next === 0x78 && /^[0-9a-f]{2}$/i.test(digits)) return { byte: Number.parseInt(digits, 16), taken: 4 };
  return { byte: ESCAPES[String.fromCharCode(next)] ?? next, taken: 2 };
}
