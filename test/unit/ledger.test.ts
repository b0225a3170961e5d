// The byte ledger's rows that are hard to count: they are what sockets took, and never what they were given.
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Connection } from '../../src/shared/wire/connection.js';
import { encodeMark } from '../../src/shared/wire/page-frames.js';
import { FaultLedger, SwitchOverBytes } from '../../src/source/faults/fault-ledger.js';
import { PageAnswers } from '../../src/source/faults/page-answers.js';
import { framesIn, guestOf } from './page-fixtures.js';

const GREETING = 300;
/** PAGE_SENT with its header, number and page. */
const ANSWER = 4116;

/** A connection as the fault line has it; its peer resets it after `answersMax` answers, and no more is taken. */
class ResetConnection {
  isOpen = true;
  carriedBytes = GREETING;
  readonly greetingBytes = GREETING;
  given = 0;
  readonly #answersMax: number;

  constructor(answersMax: number) {
    this.#answersMax = answersMax;
  }

  get wireBytes(): number {
    return this.carriedBytes;
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
      for (const frame of framesIn(requests)) answers.take(frame);
      expect(connection.given).toBe(3 * ANSWER);
      ledger.noteClosed(connection, new SwitchOverBytes());
    }
    const { faults, control, socket } = ledger.bytes;
    expect(faults).toBe(6 * request.length + ANSWER);
    expect(control).toBe(2 * GREETING);
    expect(socket).toBe(6 * request.length + ANSWER + 2 * GREETING);
  });

  it('leave out what a real socket that was lost is given', () => {
    const ledger = new FaultLedger();
    const socket = new Socket();
    const connection = new Connection(socket);
    socket.destroy();
    const answers = new PageAnswers(guestOf(8), connection, () => true, undefined);
    for (const frame of framesIn(encodeMark('PAGE_WANTED', 1, 0))) answers.take(frame);
    ledger.noteClosed(connection, new SwitchOverBytes());
    expect([ledger.bytes.faults, ledger.bytes.socket]).toEqual([0, 0]);
  });
});

/** What a connection in clear text carried, its greeting included. */
const carried = (bytes: number) => ({ carriedBytes: bytes, wireBytes: bytes, greetingBytes: GREETING });

describe('the bytes of a hand-over', () => {
  it('are those that the sockets took, when it was given to one that was reset', () => {
    const ledger = new FaultLedger();
    const switchOver = new SwitchOverBytes();
    Object.assign(switchOver, { bitmap: 320, checkpoint: 680, answers: 20 });
    ledger.noteClosed({ ...carried(GREETING + 20 + 400), wireBytes: 2000 }, switchOver);
    expect(ledger.bytes).toEqual({
      bitmap: 320,
      checkpoint: 80,
      faults: 0,
      control: GREETING + 20,
      socket: GREETING + 420,
      wire: 2000,
    });
  });

  it('are those of each time that it was sent, and its bitmap counts as often', () => {
    const ledger = new FaultLedger();
    const switchOver = new SwitchOverBytes();
    Object.assign(switchOver, { bitmap: 320, checkpoint: 680 });
    for (const bytes of [1000, 0, 1000]) ledger.noteClosed(carried(GREETING + bytes), switchOver);
    expect(ledger.bytes).toMatchObject({
      bitmap: 640,
      checkpoint: 1360,
      faults: 0,
      socket: 2000 + 3 * GREETING,
    });
  });
});
