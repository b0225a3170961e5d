// ZRANGE: members of a sorted set by rank or by score, either way round.
// Turns what is asked for into a first rank and a count; lexical ranges it refuses.
import { Message, STEP_ELEMENTS, WRONG, type Kit, type Run } from './kit.js';
import { Kind, ObjectWord } from './layout.js';
import { parseBound, scoreText } from './numbers.js';

interface RangeOptions {
  byScore: boolean;
  isReversed: boolean;
  withScores: boolean;
  offset: number;
  limit: number;
}

/** Ranks from `first` on, `count` of them. */
interface Ranks {
  readonly first: number;
  readonly count: number;
}

/** One end of a range of scores; open: what has just this score is outside. */
interface Bound {
  readonly score: number;
  readonly isOpen: boolean;
}

export function createRangeCommand(kit: Kit): Run {
  const { keys, progress, reply, request } = kit;
  const { index } = keys;

  // false: the client has been told what is wrong.
  function readOptions(): RangeOptions | false {
    const options = { byScore: false, isReversed: false, withScores: false, offset: 0, limit: -1 };
    let hasLimit = false;
    for (let at = 4; at < request.count; at++) {
      if (kit.is(at, 'WITHSCORES')) options.withScores = true;
      else if (kit.is(at, 'REV')) options.isReversed = true;
      else if (kit.is(at, 'BYSCORE')) options.byScore = true;
      else if (kit.is(at, 'LIMIT') && at + 2 < request.count) {
        options.offset = kit.integer(++at);
        options.limit = kit.integer(++at);
        hasLimit = true;
        if (Number.isNaN(options.offset) || Number.isNaN(options.limit)) {
          return wrong(Message.NOT_AN_INTEGER);
        }
      } else {
        return wrong(Message.SYNTAX);
      }
    }
    if (hasLimit && !options.byScore) {
      return wrong('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
    }
    return options;
  }

  function wrong(message: string): false {
    kit.fail(message);
    return false;
  }

  function byRank([start, stop]: readonly [number, number], head: number): Ranks {
    const count = head === 0 ? 0 : index.count(head);
    const first = Math.max(0, start < 0 ? count + start : start);
    const last = Math.min(count - 1, stop < 0 ? count + stop : stop);
    return { first, count: Math.max(0, last - first + 1) };
  }

  // A bound with "(" before it is left out of the range itself.
  function bound(argument: number): Bound {
    const text = kit.text(argument);
    const isOpen = text.startsWith('(');
    const number = isOpen ? text.slice(1) : text;
    // As Redis has it, nothing at all is 0 here.
    return { score: number === '' ? 0 : parseBound(number), isOpen };
  }

  function byScore([low, high]: readonly [Bound, Bound], head: number, options: RangeOptions): Ranks {
    const { isReversed, offset, limit } = options;
    if (head === 0 || offset < 0) return { first: 0, count: 0 };
    const below = index.countBelow(head, low.score, low.isOpen);
    const upTo = index.countBelow(head, high.score, !high.isOpen);
    const found = Math.max(0, upTo - below);
    const skipped = Math.min(offset, found);
    const count = limit < 0 ? found - skipped : Math.min(limit, found - skipped);
    return { first: (isReversed ? index.count(head) - upTo : below) + skipped, count };
  }

  // What finds the ranks in a sorted set; false: the client has been told what is wrong.
  function ranksOf(options: RangeOptions): ((head: number) => Ranks) | false {
    if (!options.byScore) {
      const ends = [kit.integer(2), kit.integer(3)] as const;
      return Number.isNaN(ends[0] + ends[1]) ? wrong(Message.NOT_AN_INTEGER) : (head) => byRank(ends, head);
    }
    const ends = [bound(options.isReversed ? 3 : 2), bound(options.isReversed ? 2 : 3)] as const;
    return ends.some(({ score }) => Number.isNaN(score))
      ? wrong('ERR min or max is not a float')
      : (head) => byScore(ends, head, options);
  }

  return () => {
    const options = readOptions();
    if (options === false) return true;
    const find = ranksOf(options);
    if (find === false) return true;
    const entry = kit.look(1, Kind.SORTED_SET);
    if (entry === WRONG) return true;
    const head = entry === 0 ? 0 : keys.object(entry) + ObjectWord.INDEX;
    const ranks = find(head);
    const { withScores, isReversed } = options;
    if (progress.a === 0) {
      reply.array(ranks.count * (withScores ? 2 : 1));
      if (ranks.count === 0) return true;
      progress.a = index.byRank(head, isReversed ? index.count(head) - 1 - ranks.first : ranks.first);
    }
    for (let left = STEP_ELEMENTS / 2; left > 0 && progress.at < ranks.count; left--) {
      kit.replyKey(index.entry(progress.a));
      if (withScores) reply.bulkText(scoreText(index.score(progress.a)));
      progress.a = isReversed ? index.previous(progress.a) : index.next(progress.a);
      progress.at++;
      if (kit.isReplyLong()) break;
    }
    return progress.at >= ranks.count;
  };
}
