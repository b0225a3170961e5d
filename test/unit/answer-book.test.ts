// What a destination remembers of migrations that have ended, and whom it lets in.
import { describe, expect, it } from 'vitest';
import {
  AnswerBook,
  MIGRATIONS_REMEMBERED_MAX,
  REMEMBERED_BYTES_MAX,
} from '../../src/destination/states/answer-book.js';
import { admit } from '../../src/destination/door.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { examples } from './message-examples.js';

describe('the answers that are remembered', () => {
  const [refusal] = examples.REFUSAL;

  it('are those of the latest migrations; the oldest are forgotten', () => {
    const book = new AnswerBook();
    for (let n = 0; n <= MIGRATIONS_REMEMBERED_MAX; n++) book.remember(`m${n}`, [refusal]);
    expect(book.find('m0')).toBeUndefined();
    expect(book.find('m1')).toEqual([refusal]);
    expect(book.find(`m${MIGRATIONS_REMEMBERED_MAX}`)).toEqual([refusal]);
  });

  it('take no more memory than they may, and the newest is always there', () => {
    const audited: Message = { ...examples.AUDITED[0], samples: new Float64Array(32_768) };
    const bytes = encodeMessage(audited).reduce((sum, part) => sum + part.byteLength, 0);
    const fitting = Math.floor(REMEMBERED_BYTES_MAX / bytes);
    const book = new AnswerBook();
    for (let n = 0; n <= fitting; n++) book.remember(`m${n}`, [audited]);
    expect(book.find('m0')).toBeUndefined();
    expect(book.find('m1')).toBeDefined();
    expect(book.find(`m${fitting}`)).toBeDefined();
  });
});

describe('whoever was welcomed before and is not remembered', () => {
  it.each([
    ['the place is free', undefined],
    ['another has it', { isCallers: false, isAbandoned: false }],
    ['another that lost its source has it', { isCallers: false, isAbandoned: true }],
  ])('is told so, and neither refused nor begun anew, when %s', (_, current) => {
    expect(admit({ isAnswered: false, current }, 'some instance')).toBe('forgotten');
  });

  it('is told its answers when those are remembered, and led to it while that lasts', () => {
    expect(admit({ isAnswered: true, current: undefined }, 'some instance')).toBe('repeat');
    const current = { isCallers: true, isAbandoned: true };
    expect(admit({ isAnswered: false, current }, 'some instance')).toBe('attach');
  });
});
