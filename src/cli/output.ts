// Standard output and standard error, and the only place that owns their failures: a full disk, a reader that is gone.
// Losing one of them ends nothing: documents that could not be written are told at the end, other lines are dropped.
import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import { wrapLines } from '../report/wrapping.js';
import { formatBytes } from '../shared/units.js';

/** What this file needs of a stream; a test brings its own. */
export type Sink = Pick<NodeJS.WriteStream, 'write' | 'on' | 'writableLength'> & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/** A reader that stands still is owed so much; what else it would have read is dropped. The guest's memory is not for that. */
const UNREAD_BYTES_MAX = 1 << 20;

/** Standard output: the documents that a user asked for. */
export class StandardOutput {
  readonly #stream: Sink;
  #written: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  #documents = 0;
  #onDocument = (): void => undefined;

  constructor(stream: Sink) {
    this.#stream = stream;
    // Told by the write that failed; without a listener it would end the process.
    stream.on('error', () => undefined);
  }

  /** How many documents there were. */
  get documents(): number {
    return this.#documents;
  }

  /** Calls `listener` at each document. */
  onDocument(listener: () => void): void {
    this.#onDocument = listener;
  }

  /** Text for people: on a terminal no word is broken. */
  printText(text: string): void {
    this.print(this.#stream.isTTY === true ? wrapLines(text, this.#stream.columns ?? 80) : text);
  }

  /** What warns, in red where that can be shown; elsewhere as it is. */
  warning(text: string): string {
    const isColoured = this.#stream.isTTY === true && !process.env['NO_COLOR'];
    return isColoured ? styleText(['bold', 'red'], text, { validateStream: false }) : text;
  }

  /** One document as it is. Waits for no reader. */
  print(document: string): void {
    this.#documents++;
    this.#onDocument();
    const written = new Promise<void>((resolve) => {
      this.#stream.write(`${document}\n`, (error) => {
        this.#failure ??= error ?? undefined;
        resolve();
      });
    });
    this.#written = Promise.all([this.#written, written]);
  }

  /** Resolves once all documents are written, with why one of them could not be. */
  async failure(): Promise<Error | undefined> {
    await this.#written;
    return this.#failure;
  }
}

/** Standard error: lines for people that stay, and on a terminal a block below them that is redrawn. */
export class StandardError {
  readonly #stream: Sink;
  readonly #live: ((text: string) => void) & { clear(): void };
  #shown: string | undefined;
  #dropped = 0;

  constructor(stream: Sink) {
    this.#stream = stream;
    stream.on('error', () => undefined);
    this.#live = createLogUpdate(stream as unknown as NodeJS.WritableStream);
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  /** One or more lines that stay. */
  say(text: string): void {
    if (this.#stream.writableLength > UNREAD_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    const shown = this.#shown;
    this.clear();
    if (this.#dropped > 0)
      this.#stream.write(
        `microstun: ${this.#dropped} messages were dropped: nobody had read the ${formatBytes(UNREAD_BYTES_MAX)} before them\n`,
      );
    this.#dropped = 0;
    this.#stream.write(`${this.isTerminal ? wrapLines(text, this.columns) : text}\n`);
    if (shown !== undefined) this.show(shown);
  }

  /** On a terminal, puts `block` below all lines, in place of the one before. */
  show(block: string): void {
    if (!this.isTerminal || this.#stream.writableLength > 0) return;
    this.#shown = block;
    this.#live(block);
  }

  /** Takes the block away. */
  clear(): void {
    if (this.#shown === undefined) return;
    this.#shown = undefined;
    this.#live.clear();
  }
}

export const standardOutput = new StandardOutput(process.stdout);
export const standardError = new StandardError(process.stderr);

/** A line of the program itself. */
export function complain(sentence: string): void {
  standardError.say(`microstun: ${sentence}`);
}
