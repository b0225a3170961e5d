// Where a store keeps what in guest memory: its root at the beginning, what it keeps of each connection, then its heap.
// A layout and nothing else; gpas are doubles, 0 is none.
import { INDEX_BYTES } from './sorted-index.js';

/** Offsets in the root, which lies at gpa 0. */
export const Root = {
  /** 1 while a vCPU is at work on the store: it never is when its slice has ended. */
  LOCK: 0,
  MAGIC: 4,
  /** What a Unix clock read, in milliseconds, when the guest's own clock read 0. */
  UNIX_BASE_MS: 8,
  /** The map of all keys. */
  KEYS: 16,
  RANDOM: 24,
  /** The connection whose command takes several slices, or NO_JOB; where it is (progress.ts). */
  JOB_SLOT: 28,
  JOB_AT: 32,
  JOB_A: 40,
  JOB_B: 48,
  JOB_NOW_MS: 56,
  /** The first object that is to be taken apart, and one that is ready to take all keys at once. */
  GARBAGE: 64,
  SPARE: 72,
  /** Counts that INFO tells. */
  COMMANDS: 80,
  CONNECTIONS: 88,
  EXPIRED: 96,
  /** Keys in the order of their expiry. */
  EXPIRIES: 128,
} as const;

export const NO_JOB = -1;
export const MAGIC = 0x6b767331;

const SLOTS = Root.EXPIRIES + INDEX_BYTES;
const SLOT_BYTES = 32;
/** Offsets in what is kept of a connection. */
export const SlotState = {
  /** Replies that its ring had no room for: the first and the last piece, and how much of the first is gone. */
  PENDING: 0,
  PENDING_LAST: 8,
  PENDING_FROM: 16,
  /** 0: no client; else Is. */
  STATUS: 20,
  /** Which client it is. */
  CLIENT: 24,
} as const;
export const Is = { SERVED: 1, LEAVING: 2 } as const;

export function slotGpa(slot: number): number {
  return SLOTS + slot * SLOT_BYTES;
}

/** Where the heap begins. */
export function heapGpa(connections: number): number {
  return Math.ceil(slotGpa(connections) / 16) * 16;
}

/** What a key holds. */
export const Kind = { STRING: 1, LIST: 2, SET: 3, HASH: 4, SORTED_SET: 5, ALL_KEYS: 6 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];
export const kindNames: Readonly<Record<number, string>> = {
  [Kind.STRING]: 'string',
  [Kind.LIST]: 'list',
  [Kind.SET]: 'set',
  [Kind.HASH]: 'hash',
  [Kind.SORTED_SET]: 'zset',
};

/** The value of an entry in the map of all keys, which never moves: the index of expiries refers to it. */
export const KeyRecord = {
  KIND: 0,
  /** Bytes of a string. */
  BYTES: 4,
  /** A string's block, or an object. */
  VALUE: 8,
  /** Its node in the index of expiries. */
  EXPIRY: 16,
} as const;
export const KEY_RECORD_BYTES = 24;

/** The value of a field of a hash; that of a member of a sorted set is its node, and that of a member of a set nothing. */
export const FIELD_RECORD_BYTES = 16;
/** Offsets as in KeyRecord: both hold a string alike. */

/** What an object begins with; a list, a set, a hash, a sorted set, or all keys of a store that was flushed. */
export const ObjectWord = {
  /** The next one that is to be taken apart, and how far that is. */
  NEXT: 0,
  CURSOR: 8,
  KIND: 16,
  /** Of a list: how many, the first, the last. */
  COUNT: 20,
  FIRST: 24,
  LAST: 32,
  /** Of all others: a map. */
  MAP: 24,
  /** Of a sorted set: its order. */
  INDEX: 32,
} as const;

export function objectBytes(kind: Kind): number {
  if (kind === Kind.LIST) return 40;
  return kind === Kind.SORTED_SET ? ObjectWord.INDEX + INDEX_BYTES : 32;
}

/** An element of a list. */
export const Element = { PREVIOUS: 0, NEXT: 8, BYTES: 16, VALUE: 24 } as const;
