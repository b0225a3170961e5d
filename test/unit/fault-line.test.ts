// The fault connection at the source over real sockets: which one counts, what may be said on it, and what it carried.
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { MicrostunError } from '../../src/shared/errors.js';
import { encodeFrame } from '../../src/shared/wire/frames.js';
import { decodePageSent, encodeMark } from '../../src/shared/wire/page-frames.js';
import { FaultLine } from '../../src/source/faults/fault-line.js';
import { FAULT_LINE, FaultPeer } from '../support/fault-peer.js';
import { until } from '../support/fixture-threads.js';
import { guestOf, isSameBytes, pageOf, write } from './page-fixtures.js';

const PAGES = 8;
/** A frame of the switch-over of which 320 bytes are a bitmap. */
const SAID = encodeFrame('HAND_OVER', [Buffer.alloc(100), Buffer.alloc(320)]);
const SAID_BYTES = 12 + 420;
const ANNOUNCED = encodeFrame('ANNOUNCEMENT', [Buffer.alloc(20)]);

const lines: FaultLine[] = [];
const peers: FaultPeer[] = [];

afterEach(async () => {
  for (const line of lines.splice(0)) line.close();
  await Promise.all(peers.splice(0).map((peer) => peer.leave('at once')));
});

async function open() {
  const guest = guestOf(PAGES);
  write(guest, 3, 1);
  const told: string[] = [];
  const errors: MicrostunError[] = [];
  const progress = new Float64Array(1);
  const line = new FaultLine(guest, progress, {
    connected: () => told.push('connected'),
    announced: (number) => told.push(`announced ${number}`),
    takenOver: () => told.push('taken over'),
    lost: (error) => {
      told.push('lost');
      errors.push(error);
    },
  });
  lines.push(line);
  const port = await line.open(FAULT_LINE);
  const dial = async (migrationId?: string): Promise<FaultPeer> => {
    const peer = await FaultPeer.dial(port, migrationId);
    peers.push(peer);
    return peer;
  };
  return { guest, told, errors, progress, line, dial };
}

describe('the fault connection', () => {
  it('carries the switch-over, and then the pages that are asked for', async () => {
    const { guest, told, progress, line, dial } = await open();
    expect(line.isUp).toBe(false);
    const peer = await dial();
    expect([line.isUp, told]).toEqual([true, ['connected']]);
    line.areFaultsServed = true;
    expect(line.write(SAID, 320)).toBe(SAID_BYTES);
    expect((await peer.hears('HAND_OVER')).body).toHaveLength(420);
    line.write(ANNOUNCED, 0);
    await peer.hears('ANNOUNCEMENT');
    peer.say(encodeMark('ANNOUNCED', 7, 0), encodeMark('TAKEN_OVER', 1, 2), encodeMark('PAGE_WANTED', 3, 0));
    const { body } = await peer.hears('PAGE_SENT');
    expect(decodePageSent(body, PAGES).page).toBe(3);
    expect(isSameBytes(decodePageSent(body, PAGES).bytes, pageOf(guest, 3))).toBe(true);
    expect(told).toEqual(['connected', 'announced 7', 'taken over']);
    expect(progress[0]).toBeGreaterThan(0);
  });

  it('has requests answered wherever they are cut', async () => {
    const { line, dial } = await open();
    const peer = await dial();
    line.areFaultsServed = true;
    const requests = Buffer.concat([3, 4, 5].map((page) => encodeMark('PAGE_WANTED', page, 0)));
    for (let at = 0; at < requests.length; at += 7) {
      peer.say(requests.subarray(at, at + 7));
      await setTimeout(1);
    }
    for (const page of [3, 4, 5])
      expect(decodePageSent((await peer.hears('PAGE_SENT')).body, PAGES).page).toBe(page);
  });

  it('is another one once the destination dials again, and says nothing on the old one', async () => {
    const { told, line, dial } = await open();
    const first = await dial();
    const second = await dial();
    expect(told.filter((one) => one === 'connected')).toHaveLength(2);
    line.write(SAID, 320);
    await second.hears('HAND_OVER');
    first.say(encodeMark('TAKEN_OVER', 1, 0));
    await first.leave();
    expect(told).not.toContain('taken over');
    expect(line.isUp).toBe(true);
  });

  it.each(['ANNOUNCED', 'TAKEN_OVER'] as const)(
    'is lost by a %s more than what was said, over all connections together',
    async (name) => {
      const { told, errors, line, dial } = await open();
      for (let time = 0; time < 2; time++) {
        const peer = await dial();
        line.write(name === 'ANNOUNCED' ? ANNOUNCED : SAID, 0);
        await peer.hears(name === 'ANNOUNCED' ? 'ANNOUNCEMENT' : 'HAND_OVER');
        // What is said on one connection may be answered on the next.
        if (time === 1) for (let answers = 0; answers < 3; answers++) peer.say(encodeMark(name, 1, 0));
      }
      await until(() => errors.length > 0);
      expect(errors[0]?.message).toBe(`${name} answers nothing that was said`);
      expect(told.slice(2, -1)).toHaveLength(2);
    },
  );

  it.each([
    ['a page, before the guest is handed over', encodeMark('PAGE_WANTED', 3, 0)],
    ['a page that the guest does not have', encodeMark('PAGE_WANTED', PAGES, 0)],
    ['what belongs to a control connection', Buffer.concat(encodeFrame('FAREWELL', [Buffer.of(0x80)]))],
    ['a mark with flags', Buffer.concat(encodeFrame('TAKEN_OVER', [Buffer.alloc(8)], 1))],
    ['a mark of other lengths', Buffer.concat(encodeFrame('ANNOUNCED', [Buffer.alloc(4)]))],
  ])('is lost when it is asked for %s', async (what, bytes) => {
    const { told, errors, line, dial } = await open();
    line.areFaultsServed = what.startsWith('a page that');
    (await dial()).say(bytes);
    await until(() => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: 'PROTOCOL' });
    expect([told, line.isUp]).toEqual([['connected', 'lost'], false]);
  });

  it('does not take in the destination of another migration', async () => {
    const { told, dial } = await open();
    await expect(dial('00000000-0000-4000-8000-000000000002')).rejects.toThrow('heard REFUSAL');
    expect(told).toEqual([]);
  });
});

describe('the bytes of a hand-over', () => {
  it('are none, and not less, when it was made while the link was down', async () => {
    const { line, dial } = await open();
    expect(line.write(SAID, 320)).toBe(0);
    await dial();
    line.close();
    expect(line.bytes).toMatchObject({ bitmap: 0, checkpoint: 0, faults: 0 });
  });

  it('are those of each time that it was sent, and its bitmap counts as often', async () => {
    const { line, dial } = await open();
    for (let time = 0; time < 2; time++) {
      const peer = await dial();
      line.write(SAID, 320);
      await peer.hears('HAND_OVER');
    }
    line.close();
    expect(line.bytes).toMatchObject({ bitmap: 640, checkpoint: 2 * (SAID_BYTES - 320), faults: 0, cuts: 1 });
  });

  it('are told apart from the answers, the pages and the greeting, and all of them are what the sockets took', async () => {
    const { line, dial } = await open();
    const peer = await dial();
    const greetingBytes = peer.receivedBytes + peer.sentBytes;
    line.areFaultsServed = true;
    line.write(SAID, 320);
    const answer = encodeMark('TAKEN_OVER', 1, 2);
    const request = encodeMark('PAGE_WANTED', 3, 0);
    peer.say(answer, request);
    await peer.hears('HAND_OVER');
    await peer.hears('PAGE_SENT');
    await peer.leave();
    line.close();
    expect(line.bytes).toMatchObject({
      bitmap: 320,
      checkpoint: SAID_BYTES - 320,
      control: greetingBytes + answer.length,
      faults: request.length + 4116,
      socket: peer.receivedBytes + peer.sentBytes,
      cuts: 0,
    });
  });
});
