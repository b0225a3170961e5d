// The byte ledger's rows that are hard to count: they are what sockets took, and never what they were given.
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Connection } from '../../src/shared/wire/connection.js';
import { encodeMark } from '../../src/shared/wire/page-frames.js';
import { FaultLedger } from '../../src/source/faults/fault-ledger.js';
import { HandOverBytes } from '../../src/source/measurement/hand-over-bytes.js';
import { PageAnswers } from '../../src/source/faults/page-answers.js';
import { guestOf } from './page-fixtures.js';

const GREETING = 300;
/** PAGE_SENT with its header, number and page. */
const ANSWER = 4116;

/** A connection as the page server has it; its peer resets it after `answersMax` answers, and no more is taken. */
class ResetConnection {
  isOpen = true;
  carriedBytes = GREETING;
  readonly greetingBytes = GREETING;
  given = 0;
  readonly #answersMax: number;

  constructor(answersMax: number) {
    this.#answersMax = answersMax;
  }

  write(parts: readonly Uint8Array[], taken: () => void): number {
    const byteCount = parts.reduce((total, part) => total + part.length, 0);
    this.given += byteCount;
    // As a socket does: what it is given after its peer's reset it neither sends nor counts.
    if (this.given <= this.#answersMax * ANSWER) this.carriedBytes += byteCount;
    queueMicrotask(taken);
    return byteCount;
  }

  pause(): void {
    // Nothing is read here.
  }

  resume(): void {
    // Nothing is read here.
  }
}

describe('the bytes of page faults', () => {
  it('are those that the sockets took, when answers came after the reset of the peer', () => {
    const ledger = new FaultLedger();
    const request = encodeMark('PAGE_WANTED', 1, 0);
    for (const answersMax of [1, 0]) {
      const connection = new ResetConnection(answersMax);
      const answers = new PageAnswers(guestOf(8), connection, () => true, undefined);
      // Read together with the reset.
      const requests = Buffer.concat([request, request, request]);
      connection.carriedBytes += requests.length;
      answers.take(requests);
      expect(connection.given).toBe(3 * ANSWER);
      ledger.noteClosed(connection);
    }
    expect(ledger.faults).toBe(6 * request.length + ANSWER);
    expect(ledger.control).toBe(2 * GREETING);
    expect(ledger.socket).toBe(6 * request.length + ANSWER + 2 * GREETING);
  });

  it('leave out what a real socket that was lost is given', () => {
    const ledger = new FaultLedger();
    const socket = new Socket();
    const connection = new Connection(socket);
    socket.destroy();
    new PageAnswers(guestOf(8), connection, () => true, undefined).take(encodeMark('PAGE_WANTED', 1, 0));
    ledger.noteClosed(connection);
    expect([ledger.faults, ledger.socket]).toEqual([0, 0]);
  });
});

describe('the bytes of a hand-over', () => {
  it('are none, and not less, when it was made while the link was down', () => {
    const bytes = new HandOverBytes();
    bytes.note(10, 0, 320);
    expect(bytes).toMatchObject({ all: 0, bitmap: 0, checkpoint: 0, sentAt: 10 });
    bytes.note(20, 1000, 320);
    expect(bytes).toMatchObject({ all: 1000, bitmap: 320, checkpoint: 680, sentAt: 20 });
  });

  it('are those of each time that it was sent, and its bitmap counts as often', () => {
    const bytes = new HandOverBytes();
    bytes.note(10, 1000, 320);
    bytes.note(20, 0, 320);
    bytes.note(30, 1000, 320);
    expect(bytes).toMatchObject({ all: 2000, bitmap: 640, checkpoint: 1360, sentAt: 10 });
  });
});
