// Commands about lists: elements in a chain that leads both ways.
// Knows keys through the kit; replies and their texts are Redis'.
import { copyIn } from '../../state/key-bytes.js';
import { Message, STEP_ELEMENTS, WRONG, type Command, type Kit } from './kit.js';
import { Element, Kind, ObjectWord } from './layout.js';

/** A step of a chain costs a fraction of what an element does that is answered. */
const STEP_HOPS = 1024;

export function createListCommands(kit: Kit): Record<string, Command> {
  const { keys, memory, progress, reply, request } = kit;
  const countOf = (list: number): number => memory.load32(list + ObjectWord.COUNT);

  function pushElement(list: number, argument: number, isLeft: boolean): void {
    const byteCount = request.lengths[argument]!;
    const element = keys.heap.allocate(Element.VALUE + byteCount);
    const outward = isLeft ? Element.PREVIOUS : Element.NEXT;
    const inward = isLeft ? Element.NEXT : Element.PREVIOUS;
    const end = list + (isLeft ? ObjectWord.FIRST : ObjectWord.LAST);
    const otherEnd = list + (isLeft ? ObjectWord.LAST : ObjectWord.FIRST);
    const neighbour = memory.loadF64(end);
    memory.storeF64(element + outward, 0);
    memory.storeF64(element + inward, neighbour);
    memory.store32(element + Element.BYTES, byteCount);
    copyIn(memory, element + Element.VALUE, request.bytes, request.starts[argument]!, byteCount);
    memory.storeF64(neighbour === 0 ? otherEnd : neighbour + outward, element);
    memory.storeF64(end, element);
    memory.store32(list + ObjectWord.COUNT, countOf(list) + 1);
  }

  function popElement(list: number, isLeft: boolean): void {
    const inward = isLeft ? Element.NEXT : Element.PREVIOUS;
    const outward = isLeft ? Element.PREVIOUS : Element.NEXT;
    const end = list + (isLeft ? ObjectWord.FIRST : ObjectWord.LAST);
    const otherEnd = list + (isLeft ? ObjectWord.LAST : ObjectWord.FIRST);
    const element = memory.loadF64(end);
    const neighbour = memory.loadF64(element + inward);
    kit.replyBytes(element + Element.VALUE, memory.load32(element + Element.BYTES));
    memory.storeF64(end, neighbour);
    memory.storeF64(neighbour === 0 ? otherEnd : neighbour + outward, 0);
    memory.store32(list + ObjectWord.COUNT, countOf(list) - 1);
    keys.heap.free(element);
  }

  function push(isLeft: boolean, onlyOld: boolean): boolean {
    const entry = kit.look(1, Kind.LIST);
    if (entry === WRONG) return true;
    if (entry === 0 && onlyOld) {
      reply.integer(0);
      return true;
    }
    const list = kit.lookOrMake(1, Kind.LIST);
    if (progress.at === 0) progress.at = 2;
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < request.count; left--) {
      try {
        pushElement(list, progress.at, isLeft);
      } catch (error) {
        if (countOf(list) === 0) keys.remove(kit.find(1));
        throw error;
      }
      progress.at++;
    }
    if (progress.at < request.count) return false;
    reply.integer(countOf(list));
    return true;
  }

  function pop(name: string, isLeft: boolean): boolean {
    if (request.count > 3) return kit.failArity(name);
    const asked = request.count === 3 ? kit.integer(2) : 1;
    if (Number.isNaN(asked) || asked < 0) return kit.fail(Message.NOT_POSITIVE);
    const entry = kit.look(1, Kind.LIST);
    if (entry === WRONG) return true;
    if (entry === 0) {
      if (request.count === 3) reply.nullArray();
      else reply.nullBulk();
      return true;
    }
    const list = keys.object(entry);
    if (progress.at === 0) {
      progress.a = Math.min(asked, countOf(list));
      if (request.count === 3) reply.array(progress.a);
    }
    for (let left = STEP_ELEMENTS; left > 0 && progress.at < progress.a; left--) {
      popElement(list, isLeft);
      progress.at++;
      if (kit.isReplyLong()) break;
    }
    if (countOf(list) === 0) keys.remove(entry);
    return progress.at >= progress.a;
  }

  // Goes on from where the slice before came to, `progress.a`, over so many elements more; true once there.
  function walk(list: number, hops: number): boolean {
    const isBackward = hops < 0;
    const from = isBackward ? ObjectWord.LAST : ObjectWord.FIRST;
    const onward = isBackward ? Element.PREVIOUS : Element.NEXT;
    if (progress.a === 0) progress.a = memory.loadF64(list + from);
    const far = isBackward ? -hops - 1 : hops;
    for (let left = STEP_HOPS; left > 0 && progress.at < far; left--) {
      progress.a = memory.loadF64(progress.a + onward);
      progress.at++;
    }
    return progress.at >= far;
  }

  // From the nearer end.
  const hopsTo = (index: number, count: number): number => (index < count / 2 ? index : index - count);

  function at(): boolean {
    const index = kit.integer(2);
    const entry = kit.look(1, Kind.LIST);
    if (entry === WRONG) return true;
    if (entry === 0) {
      reply.nullBulk();
      return true;
    }
    if (Number.isNaN(index)) return kit.fail(Message.NOT_AN_INTEGER);
    const list = keys.object(entry);
    const count = countOf(list);
    const place = index < 0 ? count + index : index;
    if (place < 0 || place >= count) {
      reply.nullBulk();
      return true;
    }
    if (!walk(list, hopsTo(place, count))) return false;
    kit.replyBytes(progress.a + Element.VALUE, memory.load32(progress.a + Element.BYTES));
    return true;
  }

  function range(): boolean {
    const start = kit.integer(2);
    const stop = kit.integer(3);
    if (Number.isNaN(start) || Number.isNaN(stop)) return kit.fail(Message.NOT_AN_INTEGER);
    const entry = kit.look(1, Kind.LIST);
    if (entry === WRONG) return true;
    const list = entry === 0 ? 0 : keys.object(entry);
    const count = list === 0 ? 0 : countOf(list);
    const from = Math.max(0, start < 0 ? count + start : start);
    const to = Math.min(count - 1, stop < 0 ? count + stop : stop);
    if (from > to) {
      reply.array(0);
      return true;
    }
    // First the way to the first element, then `progress.b` counts what was answered.
    if (progress.b === 0) {
      if (!walk(list, hopsTo(from, count))) return false;
      reply.array(to - from + 1);
    }
    for (let left = STEP_ELEMENTS; left > 0 && progress.b <= to - from; left--) {
      kit.replyBytes(progress.a + Element.VALUE, memory.load32(progress.a + Element.BYTES));
      progress.a = memory.loadF64(progress.a + Element.NEXT);
      progress.b++;
      if (kit.isReplyLong()) break;
    }
    return progress.b > to - from;
  }

  return {
    lpush: { arity: -3, needsMemory: true, run: () => push(true, false) },
    rpush: { arity: -3, needsMemory: true, run: () => push(false, false) },
    lpushx: { arity: -3, needsMemory: true, run: () => push(true, true) },
    rpushx: { arity: -3, needsMemory: true, run: () => push(false, true) },
    lpop: { arity: -2, run: () => pop('lpop', true) },
    rpop: { arity: -2, run: () => pop('rpop', false) },
    lindex: { arity: 3, run: at },
    lrange: { arity: 4, run: range },
    llen: {
      arity: 2,
      run: () => {
        const entry = kit.look(1, Kind.LIST);
        if (entry !== WRONG) reply.integer(entry === 0 ? 0 : countOf(keys.object(entry)));
        return true;
      },
    },
  };
}
