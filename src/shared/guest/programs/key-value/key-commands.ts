// Commands about keys, whatever they hold: whether they are there, when they expire, which there are.
// Knows keys through the kit; replies and their texts are Redis'.
import { expiryMs, type ExpiryUnit } from './expiry-arguments.js';
import { createGlob } from './glob.js';
import { Message, STEP_ELEMENTS, type Command, type Kit } from './kit.js';
import { kindNames } from './layout.js';
import { randomEntry } from './random-entry.js';

/** Buckets that one slice's share of a walk looks at. */
const STEP_BUCKETS = 128;
/** COUNT of SCAN is a hint: more than this is not done at once. */
const SCAN_BUCKETS_MAX = 256;
const CURSOR_MAX = 2 ** 32 - 1;

export function createKeyCommands(kit: Kit): Record<string, Command> {
  const { keys, progress, reply, request } = kit;
  const matches = createGlob(kit);

  // Does something to each key that is named, and answers for how many it was done.
  function forEachKey(act: (entry: number) => void): boolean {
    if (progress.at === 0) progress.at = 1;
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count; left--) {
      const entry = kit.find(progress.at++);
      if (entry === 0) continue;
      act(entry);
      progress.a++;
    }
    if (progress.at < request.count) return false;
    reply.integer(progress.a);
    return true;
  }

  // Whether the options of EXPIRE let a key's expiry be changed to `ms`; undefined when they are wrong.
  function mayExpire(entry: number, ms: number): boolean | undefined {
    const options = { NX: false, XX: false, GT: false, LT: false };
    for (let at = 3; at < request.count; at++) {
      const word = (['NX', 'XX', 'GT', 'LT'] as const).find((option) => kit.is(at, option));
      if (word === undefined) {
        kit.fail(`ERR Unsupported option ${kit.text(at)}`);
        return undefined;
      }
      options[word] = true;
    }
    if (options.NX && (options.XX || options.GT || options.LT)) {
      kit.fail('ERR NX and XX, GT or LT options at the same time are not compatible');
      return undefined;
    }
    if (options.GT && options.LT) {
      kit.fail('ERR GT and LT options at the same time are not compatible');
      return undefined;
    }
    const now = entry === 0 ? undefined : keys.expiry(entry);
    if (options.NX && now !== undefined) return false;
    if (options.XX && now === undefined) return false;
    if (options.GT && (now === undefined || ms <= now)) return false;
    return !(options.LT && now !== undefined && ms >= now);
  }

  function expire(name: string, unit: ExpiryUnit): true {
    const ms = expiryMs(kit, 2, unit, name, true);
    if (ms === undefined) return true;
    const entry = kit.find(1);
    const may = mayExpire(entry, ms);
    if (may === undefined) return true;
    if (entry === 0 || !may) reply.integer(0);
    else {
      if (ms <= keys.nowMs) keys.remove(entry);
      else keys.setExpiry(entry, ms);
      reply.integer(1);
    }
    return true;
  }

  function tellExpiry(told: (ms: number) => number): true {
    const entry = kit.find(1);
    const ms = entry === 0 ? undefined : keys.expiry(entry);
    reply.integer(entry === 0 ? -2 : ms === undefined ? -1 : told(ms));
    return true;
  }

  // Counts first, because the head of an answer says how much it is; then answers.
  function list(): boolean {
    const map = keys.map();
    const isAnswering = progress.b !== 0;
    let left = STEP_ELEMENTS;
    for (let buckets = STEP_BUCKETS; buckets > 0 && left > 0; buckets--) {
      progress.a = map.scan(progress.a, (entry) => {
        left--;
        if (keys.isExpired(entry) || !matches(map, entry, 1)) return;
        if (isAnswering) kit.replyKey(entry);
        else progress.at++;
      });
      if (progress.a === 0) {
        if (isAnswering) return true;
        reply.array(progress.at);
        progress.b = 1;
        return progress.at === 0;
      }
      if (kit.isReplyLong()) break;
    }
    return false;
  }

  interface ScanOptions {
    count: number;
    pattern: number;
    type: string | undefined;
  }

  function readScanOptions(): ScanOptions | undefined {
    const options: ScanOptions = { count: 10, pattern: 0, type: undefined };
    for (let at = 2; at < request.count; at += 2) {
      if (at + 1 === request.count) {
        kit.fail(Message.SYNTAX);
        return undefined;
      }
      if (kit.is(at, 'COUNT')) {
        options.count = kit.integer(at + 1);
        if (Number.isNaN(options.count) || options.count < 1) {
          kit.fail(Number.isNaN(options.count) ? Message.NOT_AN_INTEGER : Message.SYNTAX);
          return undefined;
        }
      } else if (kit.is(at, 'MATCH')) options.pattern = at + 1;
      else if (kit.is(at, 'TYPE')) options.type = kit.text(at + 1).toLowerCase();
      else {
        kit.fail(Message.SYNTAX);
        return undefined;
      }
    }
    return options;
  }

  function scan(): true {
    let cursor = kit.integer(1);
    if (!(cursor >= 0 && cursor <= CURSOR_MAX)) return kit.fail('ERR invalid cursor');
    const options = readScanOptions();
    if (options === undefined) return true;
    const map = keys.map();
    const found: number[] = [];
    let seen = 0;
    const bucketsMax = Math.min(10 * options.count, SCAN_BUCKETS_MAX);
    for (let buckets = 0; buckets < bucketsMax && seen < options.count; buckets++) {
      cursor = map.scan(cursor, (entry) => {
        seen++;
        if (keys.isExpired(entry)) return;
        if (options.type !== undefined && kindNames[keys.kind(entry)] !== options.type) return;
        if (options.pattern === 0 || matches(map, entry, options.pattern)) found.push(entry);
      });
      if (cursor === 0) break;
    }
    reply.array(2);
    reply.bulkText(String(cursor));
    reply.array(found.length);
    for (const entry of found) kit.replyKey(entry);
    return true;
  }

  function rename(onlyNew: boolean): true {
    const entry = kit.find(1);
    if (entry === 0) return kit.fail(Message.NO_SUCH_KEY);
    const isTaken = kit.find(2) !== 0;
    if (!onlyNew || !isTaken) keys.rename(entry, request.bytes, request.starts[2]!, request.lengths[2]!);
    if (onlyNew) reply.integer(isTaken ? 0 : 1);
    else reply.ok();
    return true;
  }

  function flush(): boolean {
    const isPlain = request.count === 1 || (request.count === 2 && (kit.is(1, 'ASYNC') || kit.is(1, 'SYNC')));
    if (!isPlain) return kit.fail(Message.SYNTAX);
    if (!keys.flush()) return false;
    reply.ok();
    return true;
  }

  // A key that has expired is not there; it is removed when that is found.
  function randomKey(): true {
    while (keys.map().count > 0) {
      const entry = randomEntry(keys.map(), keys.random);
      if (keys.isExpired(entry)) {
        keys.remove(entry);
        continue;
      }
      kit.replyKey(entry);
      return true;
    }
    reply.nullBulk();
    return true;
  }

  const toSeconds = (ms: number): number => Math.floor((ms + 500) / 1000);
  const remove = { arity: -2, run: () => forEachKey(keys.remove) };
  return {
    del: remove,
    unlink: remove,
    exists: { arity: -2, run: () => forEachKey(() => undefined) },
    type: {
      arity: 2,
      run: () => {
        const entry = kit.find(1);
        reply.simple(entry === 0 ? 'none' : kindNames[keys.kind(entry)]!);
        return true;
      },
    },
    expire: { arity: -3, needsMemory: true, run: () => expire('expire', 'EX') },
    pexpire: { arity: -3, needsMemory: true, run: () => expire('pexpire', 'PX') },
    expireat: { arity: -3, needsMemory: true, run: () => expire('expireat', 'EXAT') },
    pexpireat: { arity: -3, needsMemory: true, run: () => expire('pexpireat', 'PXAT') },
    ttl: { arity: 2, run: () => tellExpiry((ms) => toSeconds(ms - keys.nowMs)) },
    pttl: { arity: 2, run: () => tellExpiry((ms) => ms - keys.nowMs) },
    expiretime: { arity: 2, run: () => tellExpiry(toSeconds) },
    pexpiretime: { arity: 2, run: () => tellExpiry((ms) => ms) },
    persist: {
      arity: 2,
      run: () => {
        const entry = kit.find(1);
        const expires = entry !== 0 && keys.expiry(entry) !== undefined;
        if (expires) keys.setExpiry(entry, undefined);
        reply.integer(expires ? 1 : 0);
        return true;
      },
    },
    keys: { arity: 2, run: list },
    scan: { arity: -2, run: scan },
    randomkey: { arity: 1, run: randomKey },
    rename: { arity: 3, needsMemory: true, run: () => rename(false) },
    renamenx: { arity: 3, needsMemory: true, run: () => rename(true) },
    dbsize: {
      arity: 1,
      run: () => {
        reply.integer(keys.map().count);
        return true;
      },
    },
    flushall: { arity: -1, run: flush },
    flushdb: { arity: -1, run: flush },
  };
}
