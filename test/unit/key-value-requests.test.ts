// What a client of Redis says, cut anywhere: the cases of redis-parser and of Redis' own unit/protocol, and hostile ones.
import { describe, expect, it } from 'vitest';
import { Parsed, Request } from '../../src/shared/guest/programs/key-value/request-parser.js';

const BYTES_MAX = 4096;

interface Outcome {
  readonly commands: string[][];
  readonly complaint?: string;
  readonly left: string;
}

/** Parses what came so far, each time that a piece more of it has come. */
function feed(pieces: readonly string[]): Outcome {
  const request = new Request(BYTES_MAX);
  const commands: string[][] = [];
  let waiting = Buffer.alloc(0);
  for (const piece of pieces) {
    waiting = Buffer.concat([waiting, Buffer.from(piece, 'latin1')]);
    for (;;) {
      // What is not consumed is parsed again from the same bytes: a look must not change them.
      const parsed = request.parse(Uint8Array.from(waiting), 0, waiting.length);
      if (parsed === Parsed.WRONG)
        return { commands, complaint: request.complaint, left: waiting.toString('latin1') };
      if (parsed === Parsed.PARTLY) break;
      if (parsed === Parsed.COMMAND)
        commands.push(Array.from({ length: request.count }, (_, argument) => request.text(argument)));
      waiting = waiting.subarray(request.end);
    }
  }
  return { commands, left: waiting.toString('latin1') };
}

const sound: [what: string, bytes: string, commands: string[][]][] = [
  ['an array of bulks', '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', [['GET', 'k']]],
  ['an empty bulk', '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n', [['ECHO', '']]],
  ['bytes of every kind', '*2\r\n$4\r\nECHO\r\n$8\r\n\r\n*1\r\n\0\xff\r\n', [['ECHO', '\r\n*1\r\n\0\xff']]],
  ['several in a row', '*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n', [['PING'], ['PING'], ['QUIT']]],
  ['a command typed by hand', 'SET  key\tvalue \r\n', [['SET', 'key', 'value']]],
  ['a line without a carriage return', 'PING\n', [['PING']]],
  ['empty lines', '\r\n\n  \r\nPING\r\n', [['PING']]],
  ['empty and null arrays', '*0\r\n*-1\r\n*-10\r\nPING\r\n', [['PING']]],
  ['quoted words', `SET "a b" 'c "d' "" x\r\n`, [['SET', 'a b', 'c "d', '', 'x']]],
  ['escapes', String.raw`SET "\x41\x4g\n\"\\" 'it\'s \n'` + '\r\n', [['SET', 'Ax4g\n"\\', "it's \\n"]]],
  ['a word that begins as a quote does later', `SET a"b c" d'e'\r\n`, [['SET', 'ab c', 'de']]],
];

const wrong: [what: string, bytes: string, complaint: string][] = [
  ['a count that is no number', '*blabla\r\n', 'invalid multibulk length'],
  ['a count that is huge', '*3000000000\r\n', 'invalid multibulk length'],
  ['a count with a zero before it', '*01\r\n$4\r\nPING\r\n', 'invalid multibulk length'],
  ['a count that is minus nothing', '*-\r\n', 'invalid multibulk length'],
  [
    'a count of more than is allowed',
    '*8193\r\n',
    'invalid multibulk length: a command of this guest has 8192',
  ],
  ['an argument that is no bulk', '*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n', "expected '$', got 'f'"],
  ['a length that is negative', '*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n', 'invalid bulk length'],
  ['a length that is huge', '*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n', 'invalid bulk length'],
  ['a length that is empty', '*1\r\n$\r\n', 'invalid bulk length'],
  [
    'more than a connection takes',
    '*2\r\n$4\r\nECHO\r\n$4090\r\n',
    'a command of this guest has 4096 bytes at most',
  ],
  ['quotes that are not closed', 'SET "a b\r\n', 'unbalanced quotes in request'],
  ['something right after a quote', `SET "a"b\r\n`, 'unbalanced quotes in request'],
  ['a line that does not end', 'x'.repeat(BYTES_MAX), 'a command of this guest has 4096 bytes at most'],
];

/** `bytes` in two pieces, cut at every place there is, and byte by byte. */
function cuts(bytes: string): string[][] {
  const inTwo = Array.from({ length: bytes.length + 1 }, (_, at) => [bytes.slice(0, at), bytes.slice(at)]);
  return [...inTwo, bytes.split('')];
}

describe('a request of a client of Redis', () => {
  it.each(sound)('is understood wherever it is cut: %s', (_, bytes, commands) => {
    for (const pieces of cuts(bytes)) expect(feed(pieces)).toEqual({ commands, left: '' });
  });

  it.each(wrong)('is refused wherever it is cut: %s', (_, bytes, complaint) => {
    const few = bytes.length > 200 ? [[bytes]] : cuts(bytes);
    for (const pieces of few) expect(feed(pieces).complaint).toContain(`ERR Protocol error: ${complaint}`);
  });

  it('is waited for while any byte of it is missing', () => {
    const bytes = '*2\r\n$3\r\nGET\r\n$2\r\nkk\r\n';
    for (let length = 0; length < bytes.length; length++)
      expect(feed([bytes.slice(0, length)])).toEqual({ commands: [], left: bytes.slice(0, length) });
  });

  it('is understood up to the first byte that is wrong', () => {
    expect(feed(['PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n'])).toMatchObject({
      commands: [['PING'], ['PING']],
      left: '*x\r\nPING\r\n',
    });
  });
});
