// Recorded streams of real migrations, changed at random, for whatever reads them: frames, messages, pages, the take-over.
// No socket; the whole sides are sides.test.ts. docs/testing.md tells how to try millions.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BitmapDecoder } from '../../src/shared/memory/bitmap-stream.js';
import { BitmapError, expand, statedPages } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { ProtocolError } from '../../src/shared/errors.js';
import {
  FRAME_HEADER_BYTES,
  FrameReader,
  FrameType,
  type Frame,
  type FrameName,
} from '../../src/shared/wire/frames.js';
import { decodeMessage, encodeMessage, messageNames } from '../../src/shared/wire/messages.js';
import { PlacedFrameReader } from '../../src/shared/wire/placed-frames.js';
import { endAll } from '../support/cli.js';
import { countOf, isWide, tryInputs, type Chance } from '../support/fuzz/chance.js';
import { framesOf, mutated, mutatedStream } from '../support/fuzz/mutations.js';
import { FuzzedReceiver } from '../support/fuzz/receiver.js';
import { recordMigration, shortened, type RecordedConnection } from '../support/fuzz/recording.js';
import { FuzzedTakeOver } from '../support/fuzz/take-over.js';
import { INCOMING_PAGES } from '../support/take-over-site.js';

const FRAME_NAMES = Object.keys(FrameType) as FrameName[];

let recorded: RecordedConnection[];
let recordedSegments: RecordedConnection[];

beforeAll(async () => {
  const guest = ['--memory', `${INCOMING_PAGES * 4096}`, '--write-rate', '5k', '--guest', 'uniform'];
  recorded = await recordMigration(...guest);
  // It is as long again.
  recordedSegments = isWide
    ? await recordMigration('--memory', '6GiB', '--resident', '2MiB', '--bitmap', 'raw')
    : [];
});
afterAll(endAll);

/** All frames that were said on connections of a role; those with many pages have but a few left. */
function framesFrom(
  connections: RecordedConnection[],
  role: RecordedConnection['role'],
  side: 'fromSource' | 'fromDestination',
): Buffer[] {
  return connections.filter((one) => one.role === role).flatMap((one) => framesOf(one[side]).map(shortened));
}

function everyFrame(): Buffer[] {
  return (['control', 'pages', 'faults'] as const).flatMap((role) => [
    ...framesFrom(recorded, role, 'fromSource'),
    ...framesFrom(recorded, role, 'fromDestination'),
    ...framesFrom(recordedSegments, role, 'fromSource'),
  ]);
}

/** Cuts of a stream, some of them next to each other. */
function piecesOf(chance: Chance, stream: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const length = chance.isOneIn(2) ? 1 + chance.below(16) : 1 + chance.below(8192);
    pieces.push(stream.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** What a reader made of a stream: its frames as text, and what it refused it for. */
interface Reading {
  readonly frames: string[];
  refusal?: string;
}

function readingOf(feed: (take: (frame: Frame) => void) => void): Reading {
  const reading: Reading = { frames: [] };
  try {
    feed(({ header: { name, flags }, body }) => {
      reading.frames.push(`${name} ${flags} ${body.toString('latin1')}`);
    });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    reading.refusal = error.message;
  }
  return reading;
}

describe('frames of a stream that was tampered with', () => {
  it('are the same however it is cut and whoever reads it, or are refused alike', () => {
    const frames = everyFrame();
    tryInputs('frames', countOf(300), (chance, tried) => {
      const from = chance.below(frames.length);
      const stream = mutatedStream(chance, frames.slice(from, from + 4), frames);
      tried(stream);
      const whole = readingOf((take) => {
        const reader = new FrameReader(FRAME_NAMES);
        // Frame by frame: what came before the one that is wrong counts.
        for (let at = 0; at < stream.length; at++)
          for (const frame of reader.consume(stream.subarray(at, at + 1))) take(frame);
      });
      const placed = readingOf((take) => {
        const reader = new PlacedFrameReader({ expected: FRAME_NAMES, bodyBytesMax: Infinity, take });
        for (const piece of piecesOf(chance, stream))
          for (let at = 0; at < piece.length;) {
            const { target } = reader;
            const part = piece.subarray(at, at + target.length);
            target.set(part);
            reader.advance(part.length);
            at += part.length;
          }
      });
      expect(placed).toEqual(whole);
      expect(
        readingOf((take) => {
          const reader = new FrameReader(FRAME_NAMES);
          for (const piece of piecesOf(chance, stream))
            for (const frame of reader.consume(piece)) take(frame);
        }).refusal,
      ).toEqual(whole.refusal);
    });
  });
});

describe('a message that was tampered with', () => {
  it('is refused, or is one that would be said just so', () => {
    const frames = [
      ...framesFrom(recorded, 'control', 'fromSource'),
      ...framesFrom(recorded, 'control', 'fromDestination'),
    ];
    let messages = 0;
    tryInputs('messages', countOf(4000), (chance, tried) => {
      const input = mutated(chance, chance.pick(frames), frames);
      tried(input);
      try {
        let from = 0;
        for (const frame of new FrameReader(messageNames).consume(input)) {
          const again = Buffer.concat(encodeMessage(decodeMessage(frame)));
          const said = input.subarray(from, (from += FRAME_HEADER_BYTES + frame.body.length));
          // Text is read as it can be shown.
          if (!again.equals(said) && !/reason|findings/.test(said.toString('latin1')))
            throw new Error(`said again it is ${again.toString('hex')}`);
          messages++;
        }
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    });
    expect(messages).toBeGreaterThan(0);
  });
});

describe('a bitmap that was tampered with', () => {
  it('is the same in one piece and in many, or refused', () => {
    const frames = [...framesFrom(recorded, 'faults', 'fromSource')].filter(
      ({ 0: type }) => type === FrameType.ANNOUNCEMENT || type === FrameType.HAND_OVER,
    );
    tryInputs('bitmaps', countOf(2000), (chance, tried) => {
      const bytes = mutated(chance, chance.pick(frames), frames).subarray(16);
      tried(bytes);
      const pageCount = chance.isOneIn(2)
        ? INCOMING_PAGES
        : Math.min(1 << 21, bytes.length < 9 ? 1 : statedPages(bytes));
      const whole = pagesIn(() => expand(bytes, pageCount));
      const inPieces = pagesIn(() => {
        const bitmap = new PageBitmap(pageCount);
        const decoder = new BitmapDecoder(pageCount, (firstPage, words) => {
          bitmap.words.set(words, firstPage / 32);
        });
        for (const piece of piecesOf(chance, bytes)) decoder.push(piece);
        decoder.end();
        return bitmap;
      });
      expect(inPieces).toEqual(whole);
    });
  });
});

function pagesIn(decode: () => PageBitmap): Int32Array | string {
  try {
    const bitmap = decode();
    expect(bitmap.nextSet(0)).toBeLessThanOrEqual(bitmap.pageCount);
    return bitmap.words;
  } catch (error) {
    if (!(error instanceof BitmapError)) throw error;
    return 'refused';
  }
}

describe('pages of a stream that was tampered with', () => {
  it('are written where a head that was accepted names them, and nowhere else', () => {
    const receiver = new FuzzedReceiver();
    const frames = framesFrom(recorded, 'pages', 'fromSource');
    tryInputs('pages', countOf(1000), (chance, tried) => {
      const from = chance.below(frames.length);
      const stream = mutatedStream(chance, frames.slice(from, from + 1 + chance.below(4)), frames);
      tried(stream);
      receiver.take(chance, stream);
    });
    expect(receiver.regionsPlaced).toBeGreaterThan(0);
  });
});

type TakeOverCase = [string, () => RecordedConnection[], ConstructorParameters<typeof FuzzedTakeOver>[0]];
const inSegments: TakeOverCase = [
  'in segments',
  () => recordedSegments,
  { memoryBytes: 6 * 2 ** 30, slots: 8 },
];

describe('a take-over whose stream was tampered with', () => {
  it.each<TakeOverCase>([['in one piece', () => recorded, undefined], ...(isWide ? [inSegments] : [])])(
    'of a guest %s happens once and with all that was said, or not at all',
    (what, connections, segments) => {
      const frames = framesFrom(connections(), 'faults', 'fromSource').filter(
        ({ 0: type }) => type !== FrameType.WELCOME,
      );
      const untouched = new FuzzedTakeOver(segments);
      untouched.take(Buffer.concat(frames));
      expect(untouched.isTakenOver).toBe(true);
      let takeOvers = 0;
      tryInputs(`take-overs ${what}`, countOf(300), (chance, tried) => {
        const stream = mutatedStream(chance, frames, frames);
        tried(stream);
        const site = new FuzzedTakeOver(segments);
        site.take(stream);
        if (site.isTakenOver) takeOvers++;
      });
      expect(takeOvers).toBeGreaterThan(0);
    },
  );
});
