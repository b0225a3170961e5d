// What a destination remembers of migrations that have ended, and whom it lets in.
import { TICKET } from '../support/passes.js';
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
    for (let n = 0; n <= MIGRATIONS_REMEMBERED_MAX; n++) book.remember(`m${n}`, TICKET, [refusal]);
    expect(book.find('m0')).toBeUndefined();
    expect(book.find('m1')).toEqual([refusal]);
    expect(book.find(`m${MIGRATIONS_REMEMBERED_MAX}`)).toEqual([refusal]);
  });

  it('take no more memory than they may, and the newest is always there', () => {
    const audited: Message = { ...examples.AUDITED[0], samples: new Float64Array(32_768) };
    const bytes = encodeMessage(audited).reduce((sum, part) => sum + part.byteLength, 0);
    const fitting = Math.floor(REMEMBERED_BYTES_MAX / bytes);
    const book = new AnswerBook();
    for (let n = 0; n <= fitting; n++) book.remember(`m${n}`, TICKET, [audited]);
    expect(book.find('m0')).toBeUndefined();
    expect(book.find('m1')).toBeDefined();
    expect(book.find(`m${fitting}`)).toBeDefined();
  });
});

describe('whoever was welcomed before and is not remembered', () => {
  it.each([
    ['a place is free', { freePlaces: 1, isOneAbandoned: false }],
    ['others have them all', { freePlaces: 0, isOneAbandoned: false }],
    ['one that lost its source has the last', { freePlaces: 0, isOneAbandoned: true }],
  ])('is told so, and neither refused nor begun anew, when %s', (_, places) => {
    expect(admit({ isAnswered: false, isHere: false, ...places }, 'some instance')).toBe('forgotten');
  });

  it('is told its answers when those are remembered, and led to it while that lasts', () => {
    const places = { freePlaces: 0, isOneAbandoned: true };
    expect(admit({ isAnswered: true, isHere: false, ...places }, 'some instance')).toBe('repeat');
    expect(admit({ isAnswered: false, isHere: true, ...places }, 'some instance')).toBe('attach');
  });
});

describe('a new migration', () => {
  it('makes nobody go while a place is free, and is sent away only when all are taken and none is abandoned', () => {
    const asked = { isAnswered: false, isHere: false };
    expect(admit({ ...asked, freePlaces: 1, isOneAbandoned: true }, '')).toBe('begin');
    expect(admit({ ...asked, freePlaces: 0, isOneAbandoned: true }, '')).toBe('make-way');
    expect(admit({ ...asked, freePlaces: 0, isOneAbandoned: false }, '')).toBe('busy');
  });
});
