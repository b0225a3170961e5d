// Commands about strings: SET and GET, numbers in strings, and many keys at once.
// Knows keys through the kit; replies and their texts are Redis'.
import { copyIn } from '../../state/key-bytes.js';
import { expiryMs, expiryOption, type ExpiryUnit } from './expiry-arguments.js';
import { Message, STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import { Kind } from './layout.js';
import { addDecimals, INT64_MAX, INT64_MIN, parseLong } from './numbers.js';

/** A string is no longer than this: a slice may have to move all of it. */
const STRING_BYTES_MAX = 512 * 1024;

interface SetOptions {
  onlyNew: boolean;
  onlyOld: boolean;
  get: boolean;
  keepTtl: boolean;
  unit: ExpiryUnit | undefined;
  /** The argument with the time. */
  time: number;
}

export function createStringCommands(kit: Kit): Record<string, Command> {
  const { keys, memory, reply, request } = kit;

  // What a key held is gone, its expiry as well unless it is to be kept.
  function assign(entry: number, argument: number, keepTtl: boolean): void {
    if (keys.kind(entry) !== Kind.STRING) keys.releaseValue(entry);
    kit.setString(entry, argument);
    if (!keepTtl) keys.setExpiry(entry, undefined);
  }

  function put(key: number, value: number, keepTtl = false): number {
    const found = kit.find(key);
    const entry = found === 0 ? kit.insert(key) : found;
    try {
      if (found === 0) kit.setString(entry, value);
      else assign(entry, value, keepTtl);
    } catch (error) {
      giveUpEmpty(entry);
      throw error;
    }
    return entry;
  }

  // There was no room for what a key was to hold.
  function giveUpEmpty(entry: number): void {
    if (keys.kind(entry) === 0) keys.remove(entry);
  }

  // undefined: the client has been told what is wrong.
  function readSetOptions(): SetOptions | undefined {
    const options: SetOptions = {
      onlyNew: false,
      onlyOld: false,
      get: false,
      keepTtl: false,
      unit: undefined,
      time: 0,
    };
    for (let at = 3; at < request.count; at++) {
      const unit = expiryOption(kit, at);
      if (kit.is(at, 'NX') && !options.onlyOld) options.onlyNew = true;
      else if (kit.is(at, 'XX') && !options.onlyNew) options.onlyOld = true;
      else if (kit.is(at, 'GET')) options.get = true;
      else if (kit.is(at, 'KEEPTTL') && options.unit === undefined) options.keepTtl = true;
      else if (unit !== undefined && mayExpire(options, unit) && at + 1 < request.count) {
        options.unit = unit;
        options.time = ++at;
      } else {
        kit.fail(Message.SYNTAX);
        return undefined;
      }
    }
    return options;
  }

  // A unit may be said again, and no other one beside it.
  function mayExpire({ keepTtl, unit: before }: SetOptions, unit: ExpiryUnit): boolean {
    return !keepTtl && (before === undefined || before === unit);
  }

  function setWithOptions(): true {
    const options = readSetOptions();
    if (options === undefined) return true;
    const expiresMs =
      options.unit === undefined ? undefined : expiryMs(kit, options.time, options.unit, 'set');
    if (options.unit !== undefined && expiresMs === undefined) return true;
    const entry = options.get ? kit.look(1, Kind.STRING) : kit.find(1);
    if (entry === WRONG) return true;
    if (options.get) {
      if (entry === 0) reply.nullBulk();
      else kit.replyString(entry);
    }
    if ((options.onlyNew && entry !== 0) || (options.onlyOld && entry === 0)) {
      if (!options.get) reply.nullBulk();
      return true;
    }
    const set = put(1, 2, options.keepTtl);
    if (expiresMs !== undefined) keys.setExpiry(set, expiresMs);
    if (!options.get) reply.ok();
    return true;
  }

  function setFor(name: string, unit: 'EX' | 'PX'): true {
    const expiresMs = expiryMs(kit, 2, unit, name);
    if (expiresMs === undefined) return true;
    keys.setExpiry(put(1, 3), expiresMs);
    reply.ok();
    return true;
  }

  function putText(key: number, entry: number, text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    const to = entry === 0 ? kit.insert(key) : entry;
    try {
      keys.setString(to, bytes, 0, bytes.length);
    } catch (error) {
      giveUpEmpty(to);
      throw error;
    }
  }

  function addTo(key: number, delta: bigint): true {
    const entry = kit.look(key, Kind.STRING);
    if (entry === WRONG) return true;
    const text = entry === 0 ? '0' : kit.stringText(entry);
    // Numbers that are short are doubles: no need of more.
    const small = text.length <= 15 && delta < 1_000_000n && delta > -1_000_000n ? Number(text) : NaN;
    if (Number.isSafeInteger(small) && String(small) === text) {
      const sum = small + Number(delta);
      putText(key, entry, String(sum));
      reply.integer(sum);
      return true;
    }
    const value = parseLong(Buffer.from(text, 'latin1'), 0, text.length);
    if (value === undefined) return kit.fail(Message.NOT_AN_INTEGER);
    const sum = value + delta;
    if (sum > INT64_MAX || sum < INT64_MIN) return kit.fail('ERR increment or decrement would overflow');
    putText(key, entry, String(sum));
    reply.longInteger(String(sum));
    return true;
  }

  function addArgument(sign: bigint): true {
    const delta = parseLong(request.bytes, request.starts[2]!, request.lengths[2]!);
    if (delta === undefined) return kit.fail(Message.NOT_AN_INTEGER);
    if (sign < 0n && delta === INT64_MIN) return kit.fail('ERR decrement would overflow');
    return addTo(1, sign * delta);
  }

  function addFloat(): true {
    const entry = kit.look(1, Kind.STRING);
    if (entry === WRONG) return true;
    const sum = addDecimals(entry === 0 ? '0' : kit.stringText(entry), kit.text(2));
    if (sum === undefined) return kit.fail(Message.NOT_A_FLOAT);
    putText(1, entry, sum);
    reply.bulkText(sum);
    return true;
  }

  function append(): true {
    const entry = kit.look(1, Kind.STRING);
    if (entry === WRONG) return true;
    const added = request.lengths[2]!;
    if (entry === 0) {
      put(1, 2);
      reply.integer(added);
      return true;
    }
    const before = keys.stringBytes(entry);
    const byteCount = before + added;
    if (byteCount > STRING_BYTES_MAX)
      return kit.fail('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
    keys.resizeString(entry, byteCount, before + added + Math.min(byteCount, STRING_BYTES_MAX / 4));
    appendBytes(keys.stringGpa(entry) + before, 2);
    reply.integer(byteCount);
    return true;
  }

  // A string may end within a word: up to the next one it is byte by byte.
  function appendBytes(gpa: number, argument: number): void {
    const from = request.starts[argument]!;
    const byteCount = request.lengths[argument]!;
    let at = 0;
    for (; at < byteCount && (gpa + at) % 4 !== 0; at++) memory.store8(gpa + at, request.bytes[from + at]!);
    copyIn(memory, gpa + at, request.bytes, from + at, byteCount - at);
  }

  function getMany(): boolean {
    const { progress } = kit;
    if (progress.at === 0) {
      reply.array(request.count - 1);
      progress.at = 1;
    }
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count; left--) {
      const entry = kit.find(progress.at++);
      if (entry === 0 || keys.kind(entry) !== Kind.STRING) reply.nullBulk();
      else kit.replyString(entry);
      if (kit.isReplyLong()) break;
    }
    return progress.at === request.count;
  }

  function setMany(): boolean {
    const { progress } = kit;
    if (request.count % 2 === 0) return kit.failArity('mset');
    if (progress.at === 0) progress.at = 1;
    for (let left = STEP_ELEMENTS / 2; left > 0 && progress.at < request.count; left--) {
      put(progress.at, progress.at + 1);
      progress.at += 2;
    }
    if (progress.at < request.count) return false;
    reply.ok();
    return true;
  }

  function get(): true {
    const entry = kit.look(1, Kind.STRING);
    if (entry === 0) reply.nullBulk();
    else if (entry !== WRONG) kit.replyString(entry);
    return true;
  }

  return {
    get: { arity: 2, run: get },
    set: {
      arity: -3,
      needsMemory: true,
      run: () => {
        if (request.count > 3) return setWithOptions();
        put(1, 2);
        reply.ok();
        return true;
      },
    },
    setnx: {
      arity: 3,
      needsMemory: true,
      run: () => {
        const isNew = kit.find(1) === 0;
        if (isNew) put(1, 2);
        reply.integer(isNew ? 1 : 0);
        return true;
      },
    },
    setex: { arity: 4, needsMemory: true, run: () => setFor('setex', 'EX') },
    psetex: { arity: 4, needsMemory: true, run: () => setFor('psetex', 'PX') },
    getset: {
      arity: 3,
      needsMemory: true,
      run: () => {
        const entry = kit.look(1, Kind.STRING);
        if (entry === WRONG) return true;
        if (entry === 0) reply.nullBulk();
        else kit.replyString(entry);
        put(1, 2);
        return true;
      },
    },
    getdel: {
      arity: 2,
      run: () => {
        const entry = kit.look(1, Kind.STRING);
        if (entry > 0) {
          kit.replyString(entry);
          keys.remove(entry);
        } else if (entry === 0) reply.nullBulk();
        return true;
      },
    },
    append: { arity: 3, needsMemory: true, run: append },
    strlen: {
      arity: 2,
      run: () => {
        const entry = kit.look(1, Kind.STRING);
        if (entry !== WRONG) reply.integer(entry === 0 ? 0 : keys.stringBytes(entry));
        return true;
      },
    },
    incr: { arity: 2, needsMemory: true, run: () => addTo(1, 1n) },
    decr: { arity: 2, needsMemory: true, run: () => addTo(1, -1n) },
    incrby: { arity: 3, needsMemory: true, run: () => addArgument(1n) },
    decrby: { arity: 3, needsMemory: true, run: () => addArgument(-1n) },
    incrbyfloat: { arity: 3, needsMemory: true, run: addFloat },
    mget: { arity: -2, run: getMany },
    mset: { arity: -3, needsMemory: true, run: setMany },
  };
}
