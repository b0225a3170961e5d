// Commands about sets: a map of members for each, without values.
// Knows keys through the kit; replies and their texts are Redis'.
import type { HashMap } from '../../state/hash-map.js';
import { Message, STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import { Kind } from './layout.js';
import { createMapCommands } from './map-commands.js';
import { randomEntry } from './random-entry.js';
import { createWalk } from './walk.js';

export function createSetCommands(kit: Kit): Record<string, Command> {
  const { keys, progress, reply, request } = kit;
  const walk = createWalk(kit);
  // A member has nothing besides.
  const { mapAt, removeEntry, count, has, remove } = createMapCommands(kit, Kind.SET, () => undefined);

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

  function popMember(map: HashMap, object: number): void {
    const member = randomEntry(map, keys.random);
    kit.replyKey(member);
    removeEntry(map, member, object);
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
    const object = keys.object(entry);
    const map = keys.mapOf(object);
    if (progress.at === 0) {
      progress.a = Math.min(asked, map.count);
      if (request.count === 3) reply.array(progress.a);
    }
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < progress.a; left--) {
      popMember(map, object);
      progress.at++;
      if (kit.isReplyLong()) break;
    }
    if (map.count === 0) keys.remove(entry);
    return progress.at >= progress.a;
  }

  return {
    sadd: { arity: -3, needsMemory: true, run: add },
    srem: remove,
    spop: { arity: -2, run: pop },
    scard: count,
    sismember: has,
    smembers: {
      arity: 2,
      run: () => {
        const map = mapAt(1);
        return map === WRONG ? true : walk(map, 1, kit.replyKey);
      },
    },
  };
}
