// Commands about hashes: a map of fields for each, whose values are strings in blocks of their own.
// Knows keys through the kit; replies and their texts are Redis'.
import type { HashMap } from '../../state/hash-map.js';
import { Message, STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import { FIELD_RECORD_BYTES, KeyRecord, Kind } from './layout.js';
import { INT64_MAX, INT64_MIN, parseLong } from './numbers.js';
import { createMapCommands } from './map-commands.js';
import { createWalk } from './walk.js';

export function createHashCommands(kit: Kit): Record<string, Command> {
  const { keys, memory, progress, reply, request } = kit;
  const walk = createWalk(kit);
  const { mapAt, count, has, remove } = createMapCommands(kit, Kind.HASH, (_map, field) => {
    keys.releaseString(field);
  });

  function makeField(map: HashMap, argument: number): number {
    const field = kit.insertIn(map, argument, FIELD_RECORD_BYTES);
    memory.store32(map.valueGpa(field) + KeyRecord.BYTES, 0);
    memory.storeF64(map.valueGpa(field) + KeyRecord.VALUE, 0);
    return field;
  }

  // True when the field is new.
  function put(map: HashMap, field: number, fill: (entry: number) => void): boolean {
    const found = kit.findIn(map, field);
    const entry = found === 0 ? makeField(map, field) : found;
    try {
      fill(entry);
    } catch (error) {
      if (found === 0) map.removeEntry(entry);
      removeIfEmpty(map);
      throw error;
    }
    return found === 0;
  }

  function removeIfEmpty(map: HashMap): void {
    if (map.count === 0) keys.remove(kit.find(1));
  }

  function set(name: string): boolean {
    if (request.count % 2 !== 0) return kit.failArity(name);
    const object = kit.lookOrMake(1, Kind.HASH);
    if (object === WRONG) return true;
    const map = keys.mapOf(object);
    if (progress.at === 0) progress.at = 2;
    for (let left = STEP_ELEMENTS / 2; left > 0 && progress.at < request.count; left--) {
      const isNew = put(map, progress.at, (entry) => {
        kit.setString(entry, progress.at + 1);
      });
      if (isNew) progress.a++;
      progress.at += 2;
    }
    if (progress.at < request.count) return false;
    if (name === 'hmset') reply.ok();
    else reply.integer(progress.a);
    return true;
  }

  function replyField(map: HashMap, argument: number): void {
    const entry = kit.findIn(map, argument);
    if (entry === 0) reply.nullBulk();
    else kit.replyString(entry);
  }

  function getMany(): boolean {
    const map = mapAt(1);
    if (map === WRONG) return true;
    if (progress.at === 0) {
      reply.array(request.count - 2);
      progress.at = 2;
    }
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count; left--) {
      if (map === undefined) reply.nullBulk();
      else replyField(map, progress.at);
      progress.at++;
      if (kit.isReplyLong()) break;
    }
    return progress.at === request.count;
  }

  function addTo(): true {
    const delta = parseLong(request.bytes, request.starts[3]!, request.lengths[3]!);
    if (delta === undefined) return kit.fail(Message.NOT_AN_INTEGER);
    const object = kit.lookOrMake(1, Kind.HASH);
    if (object === WRONG) return true;
    const map = keys.mapOf(object);
    const found = kit.findIn(map, 2);
    const text = Buffer.from(found === 0 ? '0' : kit.stringText(found), 'latin1');
    const value = parseLong(text, 0, text.length);
    if (value === undefined) return kit.fail('ERR hash value is not an integer');
    const sum = value + delta;
    if (sum > INT64_MAX || sum < INT64_MIN) {
      removeIfEmpty(map);
      return kit.fail('ERR increment or decrement would overflow');
    }
    const bytes = Buffer.from(String(sum), 'latin1');
    put(map, 2, (entry) => {
      keys.setString(entry, bytes, 0, bytes.length);
    });
    reply.longInteger(String(sum));
    return true;
  }

  function walkFields(hasKeys: boolean, hasValues: boolean): boolean {
    const map = mapAt(1);
    if (map === WRONG) return true;
    return walk(map, hasKeys && hasValues ? 2 : 1, (entry) => {
      if (hasKeys) kit.replyKey(entry);
      if (hasValues) kit.replyString(entry);
    });
  }

  return {
    hset: { arity: -4, needsMemory: true, run: () => set('hset') },
    hmset: { arity: -4, needsMemory: true, run: () => set('hmset') },
    hsetnx: {
      arity: 4,
      needsMemory: true,
      run: () => {
        const object = kit.lookOrMake(1, Kind.HASH);
        if (object === WRONG) return true;
        const map = keys.mapOf(object);
        const isNew = kit.findIn(map, 2) === 0;
        if (isNew)
          put(map, 2, (entry) => {
            kit.setString(entry, 3);
          });
        reply.integer(isNew ? 1 : 0);
        return true;
      },
    },
    hget: {
      arity: 3,
      run: () => {
        const map = mapAt(1);
        if (map === undefined) reply.nullBulk();
        else if (map !== WRONG) replyField(map, 2);
        return true;
      },
    },
    hmget: { arity: -3, run: getMany },
    hexists: has,
    hlen: count,
    hdel: remove,
    hincrby: { arity: 4, needsMemory: true, run: addTo },
    hgetall: { arity: 2, run: () => walkFields(true, true) },
    hkeys: { arity: 2, run: () => walkFields(true, false) },
    hvals: { arity: 2, run: () => walkFields(false, true) },
  };
}
