// What a set-up has made is closed at its end: all at once, or one after the other where a guest runs beside it.
import { describe, expect, it } from 'vitest';
import { Belongings } from '../../src/shared/belongings.js';

describe('the end of a set-up', () => {
  it('closes one thing after the other where that is asked for, whatever fails', async () => {
    const belongings = new Belongings();
    const log: string[] = [];
    const slow = (name: string, fails: boolean) => async (): Promise<void> => {
      log.push(`${name} closes`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`${name} is closed`);
      if (fails) throw new Error(`${name} failed`);
    };
    belongings.own('a', slow('a', true));
    belongings.own('b', slow('b', false));
    await expect(belongings.closeInTurn()).rejects.toThrow('a failed');
    expect(log).toEqual(['a closes', 'a is closed', 'b closes', 'b is closed']);
    await belongings.close();
    expect(log).toHaveLength(4);
  });

  it('closes at once what is made after it', async () => {
    const belongings = new Belongings();
    await belongings.closeInTurn();
    const closed: string[] = [];
    expect(() => belongings.own('late', (made) => closed.push(made))).toThrow('the end came');
    expect(closed).toEqual(['late']);
  });
});
