// Checked fields of a msgpack body: what comes off the wire is copied, field by field, out of what msgpack made of it.
// msgpack-lite accepts trailing bytes and a __proto__ key; here neither gets through.
import msgpack from 'msgpack-lite';
import { ProtocolError } from '../errors.js';
import { checkNesting } from './nesting.js';

/** Reads one field of a decoded body or throws ProtocolError naming it. */
export interface Field<T> {
  read(value: unknown, name: string): T;
}

function field<T>(what: string, check: (value: unknown) => value is T): Field<T> {
  return {
    read(value, name) {
      if (!check(value)) throw new ProtocolError(`field "${name}" is not ${what}`);
      return value;
    },
  };
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Field<number> {
  return field(
    `a whole number from ${min} to ${max}`,
    (value): value is number =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max,
  );
}

/** A finite number from `min` to `max`. */
export function real(min = -Infinity, max = Infinity): Field<number> {
  const from = min === -Infinity ? '' : ` of at least ${min}`;
  const to = max === Infinity ? '' : ` and at most ${max}`;
  return field(
    `a finite number${from}${to}`,
    (value): value is number =>
      typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max,
  );
}

/** A number of at least 0, or Infinity. */
export const rate: Field<number> = field(
  'a rate',
  (value): value is number => typeof value === 'number' && value >= 0,
);

export const flag: Field<boolean> = field(
  'true or false',
  (value): value is boolean => typeof value === 'boolean',
);

// What a terminal, a log or a page may take for an order, or shows as something else than it is: control characters
// (escape sequences begin with one), marks that turn the direction of writing, line separators, halves of a character.
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text of a peer as it can be shown: breaks of lines and tabs are spaces, and what orders a terminal about is �. */
function shown(peersText: string): string {
  return peersText.replaceAll(/[\t\n\r\p{Zl}\p{Zp}]+/gu, ' ').replaceAll(UNSHOWN, '\ufffd');
}

/** Text of at most `max` UTF-16 units to be shown to people; read as it can be shown. */
export function prose(max: number): Field<string> {
  return {
    read(value, name) {
      if (typeof value !== 'string' || value.length > max)
        throw new ProtocolError(`field "${name}" is not text of at most ${max} characters`);
      return shown(value);
    },
  };
}

/** A name of at most `max` UTF-16 units: what is not shown as it is, is none. */
export function label(max: number): Field<string> {
  return field(
    `a name of at most ${max} characters without control characters`,
    (value): value is string => typeof value === 'string' && value.length <= max && shown(value) === value,
  );
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** A UUID in lower case. */
export const uuid: Field<string> = field(
  'a UUID',
  (value): value is string => typeof value === 'string' && UUID.test(value),
);

/** A UUID in lower case, or nothing. */
export const uuidOrEmpty: Field<string> = field(
  'a UUID or empty',
  (value): value is string => value === '' || (typeof value === 'string' && UUID.test(value)),
);

/** So many bytes as hexadecimal digits in lower case. */
export function hexadecimal(bytes: number): Field<string> {
  const digits = new RegExp(`^[\\da-f]{${2 * bytes}}$`);
  return field(
    `${2 * bytes} hexadecimal digits`,
    (value): value is string => typeof value === 'string' && digits.test(value),
  );
}

/** One of the given words. */
export function oneOf<const T extends string>(...words: readonly T[]): Field<T> {
  return field(`one of ${words.join(', ')}`, (value): value is T =>
    (words as readonly unknown[]).includes(value),
  );
}

/** A list of `min` to `max` items. */
export function list<T>(item: Field<T>, max: number, min = 0): Field<readonly T[]> {
  return {
    read(value, name) {
      if (!Array.isArray(value) || value.length > max || value.length < min)
        throw new ProtocolError(`field "${name}" is not a list of ${min} to ${max}`);
      return value.map((one, index) => item.read(one, `${name}[${index}]`));
    },
  };
}

/** Doubles as little-endian bytes, at most `max` of them. */
export function doubles(max: number): Field<Float64Array> {
  return {
    read(value, name) {
      if (!(value instanceof Uint8Array) || value.length % 8 !== 0 || value.length > 8 * max) {
        throw new ProtocolError(`field "${name}" is not a row of at most ${max} doubles`);
      }
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      return Float64Array.from({ length: value.length / 8 }, (_, index) => view.getFloat64(index * 8, true));
    },
  };
}

/** A row of at most `max` doubles, each from 0 to `valueMax`. */
export function numbers(max: number, valueMax: number): Field<Float64Array> {
  const row = doubles(max);
  return {
    read(value, name) {
      const values = row.read(value, name);
      if (!values.every((double) => double >= 0 && double <= valueMax))
        throw new ProtocolError(`field "${name}" holds what is no number from 0 to ${valueMax}`);
      return values;
    },
  };
}

export type Shape = Readonly<Record<string, Field<unknown>>>;
export type Read<S extends Shape> = {
  readonly [Name in keyof S]: S[Name] extends Field<infer T> ? T : never;
};

/** A nested map. */
export function record<S extends Shape>(shape: S): Field<Read<S>> {
  return {
    read(value, name) {
      if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
        throw new ProtocolError(`field "${name}" is not a plain map`);
      }
      const names = Object.keys(value);
      const unknownName = names.find((one) => !Object.hasOwn(shape, one));
      if (unknownName !== undefined)
        throw new ProtocolError(`field "${name}.${shown(unknownName.slice(0, 40))}" is unknown`);
      const entries = Object.entries(shape).map(([one, itsField]) => {
        if (!Object.hasOwn(value, one)) throw new ProtocolError(`field "${name}.${one}" is missing`);
        return [one, itsField.read((value as Record<string, unknown>)[one], `${name}.${one}`)] as const;
      });
      return Object.fromEntries(entries) as Read<S>;
    },
  };
}

// Without the preset, no extension type makes anything: dates, errors and regular expressions stay unread bytes.
const plainCodec = msgpack.createCodec();

/** msgpack bytes of a body; Float64Arrays travel as little-endian bytes. */
export function encodeBody(body: object): Buffer {
  return msgpack.encode(toWire(body), { codec: plainCodec });
}

/** Decodes exactly one msgpack value and reads it as `shape`; throws ProtocolError for anything else. */
export function decodeBody<T>(bytes: Buffer, itsField: Field<T>, name: string): T {
  // Its type says that fetch answers nothing; it answers the value.
  const decoder: { write(bytes: Buffer): void; fetch(): unknown; readonly offset: number } = msgpack.Decoder({
    codec: plainCodec,
  });
  checkNesting(bytes, name);
  let value: unknown;
  try {
    decoder.write(bytes);
    value = decoder.fetch();
  } catch (error) {
    throw new ProtocolError(`the body of ${name} is not msgpack`, { cause: error });
  }
  if (decoder.offset !== bytes.length) throw new ProtocolError(`${name} has bytes after its body`);
  // Exactly our own form is accepted: a repeated, hidden or odd key does not survive being encoded again.
  if (!msgpack.encode(value, { codec: plainCodec }).equals(bytes)) {
    throw new ProtocolError(`the body of ${name} is not in its plain form`);
  }
  return itsField.read(value, name);
}

function toWire(value: unknown): unknown {
  if (value instanceof Float64Array) {
    const bytes = Buffer.alloc(value.length * 8);
    for (const [index, double] of value.entries()) bytes.writeDoubleLE(double, index * 8);
    return bytes;
  }
  if (Array.isArray(value)) return value.map(toWire);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toWire(one)]));
  }
  return value;
}
