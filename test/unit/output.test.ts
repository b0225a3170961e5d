// The standard streams when nobody reads them, or nothing more fits.
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { StandardError, StandardOutput, type Sink } from '../../src/cli/output.js';
import { createLogger } from '../../src/cli/logger.js';

class Kept extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.text += chunk.toString();
    done();
  }
}

class Broken extends Writable {
  override _write(_chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  }
}

/** Its reader stands still: what is written waits. */
class Stuck extends EventEmitter {
  readonly isTTY = false;
  writableLength = 0;
  readonly lines: string[] = [];
  write(text: string): boolean {
    this.lines.push(text);
    this.writableLength += text.length;
    return false;
  }
}

const sink = (stream: Writable | Stuck, more: object = {}): Sink =>
  Object.assign(stream, more) as unknown as Sink;

describe('standard output', () => {
  it('has one line end after each document, and no failure', async () => {
    const stream = new Kept();
    const output = new StandardOutput(sink(stream));
    output.print('{}');
    expect(await output.failure()).toBeUndefined();
    expect({ text: stream.text, documents: output.documents }).toEqual({ text: '{}\n', documents: 1 });
  });

  it('whose reader is gone says so at the end and throws nowhere', async () => {
    const output = new StandardOutput(sink(new Broken()));
    output.print('one');
    output.print('two');
    expect((await output.failure())?.message).toBe('write EPIPE');
  });

  it('breaks the lines of a text between words on a terminal, and a document nowhere', () => {
    const stream = new Kept();
    const output = new StandardOutput(sink(stream, { isTTY: true, columns: 12 }));
    output.printText('never within a word');
    output.print('{"never": "at all"}');
    expect(stream.text).toBe('never within\na word\n{"never": "at all"}\n');
  });
});

describe('standard error', () => {
  it('that cannot be written takes lines, blocks and logs for nothing', () => {
    const error = new StandardError(sink(new Broken(), { isTTY: true, columns: 80 }));
    const logger = createLogger('source', 'warn', error);
    for (let count = 0; count < 3; count++) {
      error.say('a line');
      error.show('a block');
      logger.warn('a warning');
      error.clear();
    }
    expect(error.isTerminal).toBe(true);
  });

  it('owes a reader that stands still a bounded number of lines, and says what was left out', () => {
    const stream = new Stuck();
    const error = new StandardError(sink(stream));
    for (let count = 0; count < 5000; count++) error.say('x'.repeat(1023));
    expect(stream.lines.length).toBeLessThan(1100);
    const dropped = 5000 - stream.lines.length;
    stream.writableLength = 0;
    error.say('read on');
    expect(stream.lines.slice(-2)).toEqual([
      `microstun: ${dropped} messages were dropped: nobody had read the 1.00 MiB before them\n`,
      'read on\n',
    ]);
  });

  it('puts a line above the block that is shown, and leaves nothing of the block there', () => {
    const stream = new Kept();
    const error = new StandardError(sink(stream, { isTTY: true, columns: 80, rows: 24 }));
    error.show('the block');
    const before = stream.text.length;
    error.say('a line');
    const after = stream.text.slice(before);
    expect(after.indexOf('\u001B[2K')).toBeLessThan(after.indexOf('a line'));
    expect(after.indexOf('the block')).toBeGreaterThan(after.indexOf('a line'));
  });

  it('shows no block where nobody sees it', () => {
    const stream = new Kept();
    new StandardError(sink(stream)).show('the block');
    expect(stream.text).toBe('');
  });

  it('takes the log as whole lines', () => {
    const stream = new Kept();
    createLogger('source', 'warn', new StandardError(sink(stream))).warn({ bytes: 3 }, 'that was much');
    const { name, bytes, msg } = JSON.parse(stream.text) as Record<string, unknown>;
    expect({ name, bytes, msg }).toEqual({ name: 'source', bytes: 3, msg: 'that was much' });
    expect(stream.text).toMatch(/\}\n$/);
  });
});
