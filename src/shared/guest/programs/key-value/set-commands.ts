// Commands about sets: a map of members for each, without values.
// Knows keys through the kit; replies and their texts are Redis'.
import type { HashMap } from '../../state/hash-map.js';
import { Message, STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import { Kind } from './layout.js';
import { randomEntry } from './random-entry.js';
import { createWalk } from './walk.js';

export function createSetCommands(kit: Kit): Record<string, Command> {
  const { keys, progress, reply, request } = kit;
  const walk = createWalk(kit);

  function setAt(argument: number): HashMap | undefined | typeof WRONG {
    const entry = kit.look(argument, Kind.SET);
    if (entry === WRONG) return WRONG;
    return entry === 0 ? undefined : keys.mapOf(keys.object(entry));
  }

  function add(): boolean {
    const object = kit.lookOrMake(1, Kind.SET);
    if (object === WRONG) return true;
    const map = keys.mapOf(object);
    if (progress.at === 0) progress.at = 2;
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count; left--) {
      if (kit.findIn(map, progress.at) === 0) {
        try {
          kit.insertIn(map, progress.at, 0);
        } catch (error) {
          if (map.count === 0) keys.remove(kit.find(1));
          throw error;
        }
        progress.a++;
      }
      progress.at++;
    }
    if (progress.at < request.count) return false;
    reply.integer(progress.a);
    return true;
  }

  function removeMember(map: HashMap, member: number): void {
    map.removeEntry(member);
    map.shrink();
  }

  function remove(): boolean {
    const entry = kit.look(1, Kind.SET);
    if (entry === WRONG) return true;
    if (progress.at === 0) progress.at = 2;
    if (entry === 0) progress.at = request.count;
    else {
      const map = keys.mapOf(keys.object(entry));
      for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count && map.count > 0; left--) {
        const member = kit.findIn(map, progress.at++);
        if (member === 0) continue;
        removeMember(map, member);
        progress.a++;
      }
      if (map.count === 0) {
        keys.remove(entry);
        progress.at = request.count;
      }
    }
    if (progress.at < request.count) return false;
    reply.integer(progress.a);
    return true;
  }

  function popMember(map: HashMap): void {
    const member = randomEntry(map, keys.random);
    kit.replyKey(member);
    removeMember(map, member);
  }

  function pop(): boolean {
    if (request.count > 3) return kit.fail(Message.SYNTAX);
    const asked = request.count === 3 ? kit.integer(2) : 1;
    if (Number.isNaN(asked) || asked < 0) return kit.fail(Message.NOT_POSITIVE);
    const entry = kit.look(1, Kind.SET);
    if (entry === WRONG) return true;
    if (entry === 0) {
      if (request.count === 3) reply.array(0);
      else reply.nullBulk();
      return true;
    }
    const map = keys.mapOf(keys.object(entry));
    if (progress.at === 0) {
      progress.a = Math.min(asked, map.count);
      if (request.count === 3) reply.array(progress.a);
    }
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < progress.a; left--) {
      popMember(map);
      progress.at++;
      if (kit.isReplyLong()) break;
    }
    if (map.count === 0) keys.remove(entry);
    return progress.at >= progress.a;
  }

  return {
    sadd: { arity: -3, needsMemory: true, run: add },
    srem: { arity: -3, run: remove },
    spop: { arity: -2, run: pop },
    scard: {
      arity: 2,
      run: () => {
        const map = setAt(1);
        if (map !== WRONG) reply.integer(map?.count ?? 0);
        return true;
      },
    },
    sismember: {
      arity: 3,
      run: () => {
        const map = setAt(1);
        if (map !== WRONG) reply.integer(map !== undefined && kit.findIn(map, 2) !== 0 ? 1 : 0);
        return true;
      },
    },
    smembers: {
      arity: 2,
      run: () => {
        const map = setAt(1);
        return map === WRONG ? true : walk(map, 1, kit.replyKey);
      },
    },
  };
}
