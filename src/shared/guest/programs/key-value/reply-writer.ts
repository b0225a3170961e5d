// Writes replies of RESP2 into one buffer: all that a slice answers to one connection.
// Knows no connection; what is in the buffer when the slice ends has been put into guest memory by then.

const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const ASTERISK = 42;
const ZERO = 48;

/** The longest decimal of an integer that is written, its sign and the end of its line. */
const INTEGER_BYTES_MAX = 24;

export class ReplyWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
  }

  /** Makes room for `byteCount` more bytes; what was taken from `bytes` before may be stale afterwards. */
  reserve(byteCount: number): void {
    if (this.length + byteCount <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + byteCount, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  ok(): void {
    this.simple('OK');
  }

  /** A status: one line of ASCII. */
  simple(text: string): void {
    this.#line(PLUS, text);
  }

  /** An error: a code in capitals and a sentence. What would end its line is a blank. */
  error(text: string): void {
    this.#line(MINUS, text.replace(/[\r\n]/g, ' '));
  }

  /** A whole number that a double holds exactly. */
  integer(value: number): void {
    this.#number(COLON, value);
  }

  /** A whole number as decimal text. */
  longInteger(digits: string): void {
    this.#line(COLON, digits);
  }

  array(count: number): void {
    this.#number(ASTERISK, count);
  }

  nullBulk(): void {
    this.#number(DOLLAR, -1);
  }

  nullArray(): void {
    this.#number(ASTERISK, -1);
  }

  /** The head of a bulk of `byteCount` bytes, and room for it and its end; the caller fills it in, then calls endBulk. */
  beginBulk(byteCount: number): void {
    this.#number(DOLLAR, byteCount);
    this.reserve(byteCount + 2);
  }

  endBulk(byteCount: number): void {
    this.length += byteCount;
    this.bytes[this.length++] = CR;
    this.bytes[this.length++] = LF;
  }

  bulk(source: Uint8Array, from: number, byteCount: number): void {
    this.beginBulk(byteCount);
    const { bytes, length } = this;
    for (let at = 0; at < byteCount; at++) bytes[length + at] = source[from + at]!;
    this.endBulk(byteCount);
  }

  /** Text of which each character is a byte. */
  bulkText(text: string): void {
    this.beginBulk(text.length);
    for (let at = 0; at < text.length; at++) this.bytes[this.length + at] = text.charCodeAt(at);
    this.endBulk(text.length);
  }

  #line(kind: number, text: string): void {
    this.reserve(text.length + 3);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = kind;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.length = at;
  }

  #number(kind: number, value: number): void {
    this.reserve(INTEGER_BYTES_MAX);
    if (value < 0 || value > 0x3fffffff) {
      this.#line(kind, String(value));
      return;
    }
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = kind;
    let digits = 1;
    for (let rest = (value / 10) | 0; rest > 0; rest = (rest / 10) | 0) digits++;
    let rest = value | 0;
    for (let place = at + digits - 1; place >= at; place--) {
      const tenth = (rest / 10) | 0;
      bytes[place] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    at += digits;
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.length = at;
  }
}
