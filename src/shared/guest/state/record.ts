// Records over guest memory: names and types become offsets and accessors, once; an access allocates nothing.
// Knows no address: each access is told where its record lies.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import { GuestStateError } from './state-error.js';

/** What a field can be: how many bytes it takes, on what they lie, and how they are read and written. */
export interface FieldType<Value> {
  /** Bytes that it takes. */
  readonly byteCount: number;
  /** What its gpa must be a multiple of. */
  readonly alignment: number;
  /** Reads the one that lies at `gpa`. */
  readonly load: (memory: GuestMemory, gpa: number) => Value;
  /** Writes it there. */
  readonly store: (memory: GuestMemory, gpa: number, value: Value) => void;
}

/** A field of a record that lies at `record`. */
export interface Field<Value> {
  /** Bytes from the record's beginning on. */
  readonly offset: number;
  /** Where the field lies. */
  readonly gpa: (record: number) => number;
  /** Reads that of the record at `record`. */
  readonly load: (memory: GuestMemory, record: number) => Value;
  /** Writes it. */
  readonly store: (memory: GuestMemory, record: number, value: Value) => void;
}

/** A whole number from 0 to 255. */
export const u8: FieldType<number> = {
  byteCount: 1,
  alignment: 1,
  load: (memory, gpa) => memory.load8(gpa),
  store: (memory, gpa, value) => {
    memory.store8(gpa, value);
  },
};

/** A whole number from 0 to 65,535. */
export const u16: FieldType<number> = {
  byteCount: 2,
  alignment: 2,
  load: (memory, gpa) => memory.load16(gpa),
  store: (memory, gpa, value) => {
    memory.store16(gpa, value);
  },
};

/** A whole number from 0 to 2^32 − 1. */
export const u32: FieldType<number> = {
  byteCount: 4,
  alignment: 4,
  load: (memory, gpa) => memory.load32(gpa) >>> 0,
  store: (memory, gpa, value) => {
    memory.store32(gpa, value);
  },
};

/** A whole number from −2^31 to 2^31 − 1. */
export const i32: FieldType<number> = {
  byteCount: 4,
  alignment: 4,
  load: (memory, gpa) => memory.load32(gpa),
  store: (memory, gpa, value) => {
    memory.store32(gpa, value);
  },
};

/** As `i32`, for several vCPUs at once: loaded and stored atomically. Add to it with `memory.atomicAdd32(field.gpa(record), 1)`. */
export const atomicI32: FieldType<number> = {
  byteCount: 4,
  alignment: 4,
  load: (memory, gpa) => memory.atomicLoad32(gpa),
  store: (memory, gpa, value) => {
    memory.atomicStore32(gpa, value);
  },
};

/** A whole number of 64 bits with a sign. */
export const i64: FieldType<bigint> = {
  byteCount: 8,
  alignment: 8,
  load: (memory, gpa) => memory.load64(gpa),
  store: (memory, gpa, value) => {
    memory.store64(gpa, value);
  },
};

/** A double: also for a gpa, which is a whole number below 2^52. */
export const f64: FieldType<number> = {
  byteCount: 8,
  alignment: 8,
  load: (memory, gpa) => memory.loadF64(gpa),
  store: (memory, gpa, value) => {
    memory.storeF64(gpa, value);
  },
};

/** Room for something that has accessors of its own, as a lock or another record: take its place by `gpa`. */
export function room(byteCount: number, alignment = 8): FieldType<never> {
  const refuse = (): never => {
    throw new GuestStateError('room in a record is no value: use what lies there, at the gpa of the field');
  };
  return { byteCount, alignment, load: refuse, store: refuse };
}

/** What a record has beside its fields, so that no field can be called that. */
export interface RecordShape {
  /** Bytes of a record; in an array one follows after so many. */
  readonly byteCount: number;
  /** What its gpa must be a multiple of. */
  readonly alignment: number;
  /** Where the record of that index lies in an array of them that begins at `gpa`. */
  readonly at: (gpa: number, index: number) => number;
}

/** The fields of a record that is to be laid out, by their names. */
export type FieldTypes = Readonly<
  Record<string, FieldType<never> | FieldType<number> | FieldType<bigint>>
> & {
  readonly [Reserved in keyof RecordShape]?: never;
};

/** A record as `record` answers it: its fields by their names, and how large it is. */
export type RecordType<Types extends FieldTypes> = RecordShape & {
  readonly [Name in keyof Types]: Types[Name] extends FieldType<infer Value> ? Field<Value> : never;
};

/**
 * Lays fields out in the order in which they are named, each on its alignment. Make it once, at the top of a module:
 *
 *     const Account = record({ balance: f64, moves: u32, lock: room(MUTEX_BYTES, 4) });
 *     Account.balance.store(memory, gpa, Account.balance.load(memory, gpa) + 1);
 */
export function record<const Types extends FieldTypes>(types: Types): RecordType<Types> {
  const fields: Record<string, unknown> = {};
  let end = 0;
  let alignment = 1;
  for (const [name, type] of Object.entries(types) as [string, FieldType<unknown>][]) {
    if (name === 'byteCount' || name === 'alignment' || name === 'at') {
      throw new GuestStateError(`no field of a record can be called ${name}: choose another name`);
    }
    const offset = Math.ceil(end / type.alignment) * type.alignment;
    fields[name] = fieldAt(offset, type);
    end = offset + type.byteCount;
    alignment = Math.max(alignment, type.alignment);
  }
  const byteCount = Math.ceil(end / alignment) * alignment;
  const shape: RecordShape = { byteCount, alignment, at: (gpa, index) => gpa + index * byteCount };
  return { ...fields, ...shape } as RecordType<Types>;
}

function fieldAt<Value>(offset: number, { load, store }: FieldType<Value>): Field<Value> {
  return {
    offset,
    gpa: (at) => at + offset,
    load: (memory, at) => load(memory, at + offset),
    store: (memory, at, value) => {
      store(memory, at + offset, value);
    },
  };
}
