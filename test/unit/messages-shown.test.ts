// What a peer says and people see: in a terminal, a log, a report. Checked where it is decoded, and nowhere else.
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import type { MessageName } from '../../src/shared/wire/messages.js';
import { decodeFields, fieldsOf } from './message-bodies.js';
import { examples } from './message-examples.js';

const ESCAPES = [
  ['an escape sequence', '\u001b]0;pwned\u0007\u001b[2J'],
  ['a control sequence of one byte', '\u009b31m'],
  ['a backspace', 'no\b\byes'],
  ['a delete', 'a\u007fb'],
  ['a null', 'a\0b'],
  ['an override of the direction', 'user\u202etxt.exe'],
  ['an isolate of the direction', 'a\u2066b\u2069'],
  ['what takes no place', 'a\u200bb\ufeff'],
] as const;
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

function decodeWith(name: MessageName, field: string, value: unknown): Record<string, unknown> {
  return { ...decodeFields(name, { ...fieldsOf(examples[name][0]), [field]: value }) };
}

describe.each<[MessageName, string]>([
  ['REFUSAL', 'reason'],
  ['CANCEL', 'reason'],
])('the text of %s.%s', (name, field) => {
  it.each(ESCAPES)('is read without %s', (_what, hostile) => {
    const read = decodeWith(name, field, `before ${hostile} after`)[field];
    expect(read).toMatch(/^before .*\ufffd.* after$/u);
    expect(read).not.toMatch(UNSHOWN);
  });

  it('keeps its words and lines, in one line', () => {
    expect(decodeWith(name, field, 'SyntaxError: \t"ü☂😀"\r\n  at line 3')[field]).toBe(
      'SyntaxError:  "ü☂😀"   at line 3',
    );
  });
});

describe('the findings of an audit', () => {
  it.each(ESCAPES)('are read without %s', (_what, hostile) => {
    expect(JSON.stringify(decodeWith('AUDITED', 'findings', [hostile])['findings'])).not.toMatch(UNSHOWN);
  });
});

describe('the name of a guest program', () => {
  const [{ guest }] = examples.PREPARE;
  it.each(ESCAPES)('with %s is refused', (_what, hostile) => {
    expect(() => decodeWith('PREPARE', 'guest', { ...guest, program: hostile })).toThrow(ProtocolError);
  });
});

describe('a field that is unknown', () => {
  it.each(ESCAPES)('is named without %s', (_what, hostile) => {
    let complaint = '';
    try {
      decodeWith('PING', hostile, 1);
    } catch (error) {
      complaint = (error as Error).message;
    }
    expect(complaint).toMatch(/is unknown/);
    expect(complaint).not.toMatch(UNSHOWN);
  });
});

describe.each<[MessageName, string]>([
  ['HELLO', 'migrationId'],
  ['WELCOME', 'instanceId'],
])('%s.%s', (name, field) => {
  it.each([
    '',
    'm-1',
    '\r\nSET evil 1\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    '0B54F2A1-9C3E-4D10-8A77-6F0E1D2C3B4A',
    '0b54f2a1-9c3e-4d10-8a77-6f0e1d2c3b4a\n',
    '0b54f2a1-9c3e-4d10-8a77-6f0e1d2c3b4a0',
  ])('is refused when it is no UUID: %j', (text) => {
    expect(() => decodeWith(name, field, text)).toThrow(/is not a UUID/);
  });
});

describe('a number that is shown', () => {
  it.each<[MessageName, string, number]>([
    ['PREPARE', 'auditAfterMs', 1.7e308],
    ['PING', 'sentAt', 1e300],
    ['PONG', 'answeredAt', 1e17],
    ['RESUMED', 'receivedAt', 1e300],
    ['RESUMED', 'validationMs', 1.7e308],
    ['RESUMED', 'placementMs', 1.7e308],
    ['RESUMED', 'resumeMs', 1.7e308],
    ['RESUMED', 'answeredAt', 1.7e308],
    ['ARRIVED', 'latencyP50Us', 1e300],
    ['ARRIVED', 'latencyP99Us', 1e300],
    ['ARRIVED', 'latencyMaxUs', 1e300],
    ['ARRIVED', 'durationMs', 1e300],
    ['AUDITED', 'longestStallUs', 1e300],
  ])('is refused when no clock can have measured it: %s.%s', (name, field, value) => {
    expect(() => decodeWith(name, field, value)).toThrow(ProtocolError);
  });

  it.each([-1, 1e300, NaN, Infinity])('is refused in a row of samples or gaps: %d', (value) => {
    for (const field of ['samples', 'gaps'])
      expect(() => decodeWith('AUDITED', field, Float64Array.of(1, value))).toThrow(ProtocolError);
  });

  it('must be there: a guest without a first slice did not resume', () => {
    expect(() => decodeWith('RESUMED', 'firstSliceAt', [])).toThrow(ProtocolError);
  });
});
