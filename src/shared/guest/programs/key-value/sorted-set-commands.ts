// Commands about sorted sets: a map of members for each, and their order by score.
// Knows keys through the kit; replies and their texts are Redis', scores as versions from 7.2 on write them.
import type { HashMap } from '../../state/hash-map.js';
import { Message, STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import { Kind, ObjectWord } from './layout.js';
import { createMapCommands } from './map-commands.js';
import { parseScore, scoreText } from './numbers.js';
import { createRangeCommand } from './sorted-set-range.js';

/** The value of a member's entry is its node. */
const MEMBER_RECORD_BYTES = 8;

interface AddOptions {
  onlyNew: boolean;
  onlyOld: boolean;
  onlyGreater: boolean;
  onlyLess: boolean;
  countsChanges: boolean;
  increments: boolean;
}
const optionWords: readonly [word: string, option: keyof AddOptions][] = [
  ['NX', 'onlyNew'],
  ['XX', 'onlyOld'],
  ['GT', 'onlyGreater'],
  ['LT', 'onlyLess'],
  ['CH', 'countsChanges'],
  ['INCR', 'increments'],
];

interface SortedSet {
  readonly entry: number;
  readonly map: HashMap;
  readonly head: number;
}

export function createSortedSetCommands(kit: Kit): Record<string, Command> {
  const { keys, memory, progress, reply, request } = kit;
  const { index } = keys;

  function sortedSet(entry: number, object: number): SortedSet {
    return { entry, map: keys.mapOf(object), head: object + ObjectWord.INDEX };
  }
  function setAt(argument: number): SortedSet | undefined | typeof WRONG {
    const entry = kit.look(argument, Kind.SORTED_SET);
    if (entry === WRONG) return WRONG;
    return entry === 0 ? undefined : sortedSet(entry, keys.object(entry));
  }
  const nodeOf = (map: HashMap, member: number): number => memory.loadF64(map.valueGpa(member));

  function insertMember({ map, head }: SortedSet, argument: number, score: number): void {
    const member = kit.insertIn(map, argument, MEMBER_RECORD_BYTES);
    try {
      memory.storeF64(map.valueGpa(member), index.insert(head, score, member));
    } catch (error) {
      map.removeEntry(member);
      throw error;
    }
  }

  // Two nodes of a member differ by their scores: the old one goes once there is room for the new one.
  function moveMember({ map, head }: SortedSet, member: number, score: number): void {
    const node = nodeOf(map, member);
    memory.storeF64(map.valueGpa(member), index.insert(head, score, member));
    index.remove(head, node);
  }

  const { removeEntry, count, remove } = createMapCommands(kit, Kind.SORTED_SET, (map, member, object) => {
    index.remove(object + ObjectWord.INDEX, nodeOf(map, member));
  });

  function removeIfEmpty({ map, entry }: SortedSet): boolean {
    if (map.count > 0) return false;
    keys.remove(entry);
    return true;
  }

  // Answers where the scores begin; 0 when the client has been told what is wrong.
  function readOptions(options: AddOptions): number {
    let at = 2;
    for (; at < request.count; at++) {
      const option = optionWords.find(([word]) => kit.is(at, word));
      if (option === undefined) break;
      options[option[1]] = true;
    }
    const { onlyNew, onlyOld, onlyGreater, onlyLess, increments } = options;
    const pairs = request.count - at;
    let message: string | undefined;
    if (pairs === 0 || pairs % 2 !== 0) message = Message.SYNTAX;
    else if (onlyNew && onlyOld) message = 'ERR XX and NX options at the same time are not compatible';
    else if ((onlyGreater && (onlyNew || onlyLess)) || (onlyLess && onlyNew))
      message = 'ERR GT, LT, and/or NX options at the same time are not compatible';
    else if (increments && pairs > 2) message = 'ERR INCR option supports a single increment-element pair';
    if (message === undefined) return at;
    kit.fail(message);
    return 0;
  }

  // The score that the member has now; undefined when it was left alone, NaN when the sum would be none.
  function putMember(
    set: SortedSet,
    argument: number,
    score: number,
    options: AddOptions,
  ): number | undefined {
    const member = kit.findIn(set.map, argument);
    if (member === 0) {
      if (options.onlyOld) return undefined;
      insertMember(set, argument, score);
      progress.a++;
      return score;
    }
    if (options.onlyNew) return undefined;
    const old = index.score(nodeOf(set.map, member));
    const wanted = options.increments ? old + score : score;
    if (Number.isNaN(wanted)) return NaN;
    if ((options.onlyGreater && wanted <= old) || (options.onlyLess && wanted >= old)) return undefined;
    if (wanted !== old) {
      moveMember(set, member, wanted);
      if (options.countsChanges) progress.a++;
    }
    return wanted;
  }

  // All scores are looked at before anything is changed: `progress.b` is where the next one is, then they are put.
  function checkScores(from: number): boolean | undefined {
    if (progress.b === 0) progress.b = from;
    for (let left = STEP_ELEMENTS; left > 0 && progress.b < request.count; left--) {
      if (Number.isNaN(parseScore(kit.text(progress.b)))) {
        kit.fail(Message.NOT_A_FLOAT);
        return undefined;
      }
      progress.b += 2;
    }
    return progress.b >= request.count;
  }

  function add(options: AddOptions, from: number): boolean {
    if (progress.at === 0) {
      const areChecked = checkScores(from);
      if (areChecked === undefined) return true;
      if (!areChecked) return false;
      progress.at = from;
    }
    const found = kit.look(1, Kind.SORTED_SET);
    if (found === WRONG) return true;
    if (found === 0 && options.onlyOld) {
      if (options.increments) reply.nullBulk();
      else reply.integer(0);
      return true;
    }
    const object = kit.lookOrMake(1, Kind.SORTED_SET);
    const set = sortedSet(kit.find(1), object);
    let score: number | undefined;
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count; left--) {
      try {
        score = putMember(set, progress.at + 1, parseScore(kit.text(progress.at)), options);
      } catch (error) {
        removeIfEmpty(set);
        throw error;
      }
      progress.at += 2;
    }
    if (progress.at < request.count) return false;
    if (!options.increments) reply.integer(progress.a);
    else if (score === undefined) reply.nullBulk();
    else if (Number.isNaN(score)) kit.fail('ERR resulting score is not a number (NaN)');
    else reply.bulkText(scoreText(score));
    return true;
  }

  function noOptions(): AddOptions {
    return {
      onlyNew: false,
      onlyOld: false,
      onlyGreater: false,
      onlyLess: false,
      countsChanges: false,
      increments: false,
    };
  }

  function pop(isLeast: boolean): boolean {
    if (request.count > 3) return kit.fail(Message.SYNTAX);
    const asked = request.count === 3 ? kit.integer(2) : 1;
    if (Number.isNaN(asked) || asked < 0) return kit.fail(Message.NOT_POSITIVE);
    const set = setAt(1);
    if (set === WRONG) return true;
    if (set === undefined) {
      reply.array(0);
      return true;
    }
    if (progress.at === 0) {
      progress.a = Math.min(asked, set.map.count);
      reply.array(2 * progress.a);
    }
    for (let left = STEP_ELEMENTS / 2; left > 0 && progress.at < progress.a; left--) {
      const node = isLeast ? index.next(set.head) : index.last(set.head);
      kit.replyKey(index.entry(node));
      reply.bulkText(scoreText(index.score(node)));
      removeEntry(set.map, index.entry(node), keys.object(set.entry));
      progress.at++;
      if (kit.isReplyLong()) break;
    }
    removeIfEmpty(set);
    return progress.at >= progress.a;
  }

  function ofMember(tell: (set: SortedSet, member: number) => void): true {
    const set = setAt(1);
    if (set === WRONG) return true;
    const member = set === undefined ? 0 : kit.findIn(set.map, 2);
    if (set === undefined || member === 0) reply.nullBulk();
    else tell(set, member);
    return true;
  }

  return {
    zadd: {
      arity: -4,
      needsMemory: true,
      run: () => {
        const options = noOptions();
        const from = readOptions(options);
        return from === 0 ? true : add(options, from);
      },
    },
    zincrby: {
      arity: 4,
      needsMemory: true,
      run: () => add({ ...noOptions(), increments: true }, 2),
    },
    zrem: remove,
    zpopmin: { arity: -2, run: () => pop(true) },
    zpopmax: { arity: -2, run: () => pop(false) },
    zcard: count,
    zscore: {
      arity: 3,
      run: () =>
        ofMember(({ map }, member) => {
          reply.bulkText(scoreText(index.score(nodeOf(map, member))));
        }),
    },
    zrank: {
      arity: 3,
      run: () =>
        ofMember(({ map, head }, member) => {
          reply.integer(index.rank(head, nodeOf(map, member)));
        }),
    },
    zrange: { arity: -4, run: createRangeCommand(kit) },
  };
}
