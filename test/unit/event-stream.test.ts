import { describe, expect, it } from 'vitest';
import { EventStream } from '../../src/library/event-stream.js';

async function read<Event>(stream: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = [];
  for await (const event of stream) all.push(event);
  return all;
}

describe('a stream of events', () => {
  it('gives every reader all events, whenever it comes', async () => {
    const stream = new EventStream<number>();
    stream.push(1);
    const early = read(stream);
    const beside = read(stream);
    stream.push(2);
    await Promise.resolve();
    stream.push(3);
    stream.end();
    expect(await Promise.all([early, beside, read(stream)])).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('gives a reader that is behind only the newest of those that replace each other, and one that keeps up each', async () => {
    const stream = new EventStream<string>((newer, older) => newer.startsWith('n') && older.startsWith('n'));
    const quick = stream[Symbol.asyncIterator]();
    const seen: (string | undefined)[] = [];
    for (const event of ['phase', 'n1', 'n2', 'round', 'n3', 'n4']) {
      stream.push(event);
      seen.push((await quick.next()).value);
    }
    stream.end();
    expect(seen).toEqual(['phase', 'n1', 'n2', 'round', 'n3', 'n4']);
    expect(await read(stream)).toEqual(['phase', 'n2', 'round', 'n4']);
  });

  it('keeps the newest events for whoever comes late, and is not filled by one that nobody reads', async () => {
    const stream = new EventStream<number>();
    for (let event = 0; event < 10_000; event++) stream.push(event);
    stream.end();
    const late = await read(stream);
    expect(late.at(-1)).toBe(9999);
    expect(late.length).toBeLessThan(5000);
  });

  it('throws its failure at whoever has read all of it', async () => {
    const stream = new EventStream<number>();
    const reader = read(stream);
    stream.end(new Error('it broke'));
    await expect(reader).rejects.toThrow('it broke');
    await expect(read(stream)).rejects.toThrow('it broke');
  });
});
