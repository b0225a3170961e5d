// What every command has at hand: its arguments as numbers and words, the keys that they name, and ways to answer.
// Knows no command; where a command is that takes several slices is in `progress`, which lies in guest memory in between.
import type { GuestMemory } from '../../../memory/guest-memory.js';
import type { HashMap } from '../../state/hash-map.js';
import { copyOut } from '../../state/key-bytes.js';
import type { Keyspace } from './keyspace.js';
import type { Kind } from './layout.js';
import { parseInteger, textOf } from './numbers.js';
import type { ReplyWriter } from './reply-writer.js';
import type { Request } from './request-parser.js';

/** Elements that one slice's share of a command touches, and bytes that it answers: then it goes on in the next slice. */
export const STEP_ELEMENTS = 128;
const STEP_REPLY_BYTES = 32_768;

/** How far a command is. All are 0 when it begins. */
export interface Progress {
  at: number;
  a: number;
  b: number;
}

/** A command: answers whether it is done; if not, it is called again in a later slice, and nobody else's in between. */
export type Run = () => boolean;

export interface Command {
  /** Arguments, its name among them: exactly so many, or if negative at least. */
  readonly arity: number;
  /** Whether it may need memory, and is refused when there is next to none. */
  readonly needsMemory?: boolean;
  readonly run: Run;
}

export const Message = {
  WRONG_TYPE: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  NOT_AN_INTEGER: 'ERR value is not an integer or out of range',
  NOT_A_FLOAT: 'ERR value is not a valid float',
  SYNTAX: 'ERR syntax error',
  NO_SUCH_KEY: 'ERR no such key',
  NOT_POSITIVE: 'ERR value is out of range, must be positive',
  OUT_OF_MEMORY: "OOM command not allowed when used memory > 'maxmemory'.",
} as const;

/** What `look` answers when a key holds something else; the client has been told. */
export const WRONG = -1;

export interface Kit {
  readonly memory: GuestMemory;
  readonly keys: Keyspace;
  readonly request: Request;
  readonly reply: ReplyWriter;
  readonly progress: Progress;
  /** An argument as a whole number; NaN when it is none. */
  integer(argument: number): number;
  text(argument: number): string;
  /** Whether an argument is that word, which is in capitals, in whatever case. */
  is(argument: number, word: string): boolean;
  /** The entry of the key that an argument names; 0 when there is none. */
  find(argument: number): number;
  /** As that, but WRONG when it holds something else than `kind`. */
  look(argument: number, kind: Kind): number;
  insert(argument: number): number;
  /** The object of a key, which is made when there is none; WRONG as in `look`. */
  lookOrMake(argument: number, kind: Kind): number;
  /** The entry of a map whose key an argument is; 0 when there is none. */
  findIn(map: HashMap, argument: number): number;
  insertIn(map: HashMap, argument: number, valueBytes: number): number;
  setString(entry: number, argument: number): void;
  /** Answers with the string in an entry, or with the key of one. */
  replyString(entry: number): void;
  readonly replyKey: (entry: number) => void;
  replyBytes(gpa: number, byteCount: number): void;
  stringText(entry: number): string;
  /** Answers with an error; always true: the command is done. */
  fail(message: string): true;
  failArity(name: string): true;
  /** Whether this slice's share has answered enough. */
  readonly isReplyLong: () => boolean;
}

export function createKit(
  memory: GuestMemory,
  keys: Keyspace,
  request: Request,
  reply: ReplyWriter,
  progress: Progress,
): Kit {
  const { starts, lengths } = request;

  function find(argument: number): number {
    return keys.find(request.bytes, starts[argument]!, lengths[argument]!);
  }
  function insert(argument: number): number {
    return keys.insert(request.bytes, starts[argument]!, lengths[argument]!);
  }
  function fail(message: string): true {
    reply.error(message);
    return true;
  }
  function look(argument: number, kind: Kind): number {
    const entry = find(argument);
    if (entry === 0 || keys.kind(entry) === kind) return entry;
    fail(Message.WRONG_TYPE);
    return WRONG;
  }
  function replyBytes(gpa: number, byteCount: number): void {
    reply.beginBulk(byteCount);
    copyOut(memory, gpa, reply.bytes, reply.length, byteCount);
    reply.endBulk(byteCount);
  }

  return {
    memory,
    keys,
    request,
    reply,
    progress,
    integer: (argument) => parseInteger(request.bytes, starts[argument]!, lengths[argument]!),
    text: (argument) => textOf(request.bytes, starts[argument]!, lengths[argument]!),
    is(argument, word) {
      if (lengths[argument] !== word.length) return false;
      const from = starts[argument]!;
      for (let at = 0; at < word.length; at++)
        if ((request.bytes[from + at]! & 0xdf) !== word.charCodeAt(at)) return false;
      return true;
    },
    find,
    look,
    insert,
    lookOrMake(argument, kind) {
      const entry = look(argument, kind);
      if (entry === WRONG) return WRONG;
      if (entry !== 0) return keys.object(entry);
      const made = insert(argument);
      try {
        return keys.makeObject(made, kind);
      } catch (error) {
        keys.remove(made);
        throw error;
      }
    },
    findIn: (map, argument) => map.find(request.bytes, starts[argument], lengths[argument]),
    insertIn: (map, argument, valueBytes) =>
      map.insert(request.bytes, starts[argument]!, lengths[argument]!, valueBytes),
    setString(entry, argument) {
      keys.setString(entry, request.bytes, starts[argument]!, lengths[argument]!);
    },
    replyString(entry) {
      replyBytes(keys.stringGpa(entry), keys.stringBytes(entry));
    },
    replyKey(entry) {
      const map = keys.map();
      replyBytes(map.keyGpa(entry), map.keyLength(entry));
    },
    replyBytes,
    stringText(entry) {
      const bytes = new Uint8Array(keys.stringBytes(entry));
      copyOut(memory, keys.stringGpa(entry), bytes, 0, bytes.length);
      return textOf(bytes, 0, bytes.length);
    },
    fail,
    failArity: (name) => fail(`ERR wrong number of arguments for '${name}' command`),
    isReplyLong: () => reply.length > STEP_REPLY_BYTES,
  };
}
