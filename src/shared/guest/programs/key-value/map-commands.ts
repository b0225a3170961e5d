// What hashes, sets and sorted sets have in common: a map whose entries are counted, looked for and removed by their keys.
// Knows the map of an object; what else belongs to an entry is let go by its kind.
import type { HashMap } from '../../state/hash-map.js';
import { STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import type { Kind } from './layout.js';

/** Lets go what an entry of the map of `object` has besides, right before the entry is removed. */
export type LetGo = (map: HashMap, entry: number, object: number) => void;

export interface MapCommands {
  /** The map of a key; undefined: there is none; WRONG: it holds something else, and the client has been told. */
  readonly mapAt: (argument: number) => HashMap | undefined | typeof WRONG;
  readonly removeEntry: LetGo;
  readonly count: Command;
  readonly has: Command;
  readonly remove: Command;
}

export function createMapCommands(kit: Kit, kind: Kind, letGo: LetGo): MapCommands {
  const { keys, progress, reply, request } = kit;

  function mapAt(argument: number): HashMap | undefined | typeof WRONG {
    const entry = kit.look(argument, kind);
    if (entry === WRONG) return WRONG;
    return entry === 0 ? undefined : keys.mapOf(keys.object(entry));
  }

  function removeEntry(map: HashMap, entry: number, object: number): void {
    letGo(map, entry, object);
    map.removeEntry(entry);
    map.shrink();
  }

  // A step of it. An object without entries is none.
  function removeSome(key: number): void {
    const object = keys.object(key);
    const map = keys.mapOf(object);
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count && map.count > 0; left--) {
      const entry = kit.findIn(map, progress.at++);
      if (entry === 0) continue;
      removeEntry(map, entry, object);
      progress.a++;
    }
    if (map.count > 0) return;
    keys.remove(key);
    progress.at = request.count;
  }

  function remove(): boolean {
    const key = kit.look(1, kind);
    if (key === WRONG) return true;
    if (progress.at === 0) progress.at = 2;
    if (key === 0) progress.at = request.count;
    else removeSome(key);
    if (progress.at < request.count) return false;
    reply.integer(progress.a);
    return true;
  }

  return {
    mapAt,
    removeEntry,
    count: {
      arity: 2,
      run: () => {
        const map = mapAt(1);
        if (map !== WRONG) reply.integer(map?.count ?? 0);
        return true;
      },
    },
    has: {
      arity: 3,
      run: () => {
        const map = mapAt(1);
        if (map !== WRONG) reply.integer(map !== undefined && kit.findIn(map, 2) !== 0 ? 1 : 0);
        return true;
      },
    },
    remove: { arity: -3, run: remove },
  };
}
