// Runs the code of the hand-over before it counts: cold code costs milliseconds, and this is the stun's path.
// Pure; what it makes is thrown away.
import { REGISTERS_PER_VCPU } from '../guest/guest-program.js';
import { compact, encodeRaw, expand } from '../memory/compacted-bitmap.js';
import { PageBitmap } from '../memory/page-bitmap.js';
import { FrameReader } from './frames.js';
import { decodeMessage, encodeMessage, type Message } from './messages.js';

const TURNS = 60;

/** Encodes and decodes hand-overs and answers of a guest of that shape; some milliseconds. */
export function warmUpHandOver(vcpus: number, pageCount: number): void {
  const bitmap = new PageBitmap(pageCount);
  for (let page = 0; page < pageCount; page += 7) bitmap.add(page);
  const registers = Array.from({ length: vcpus }, () => new Float64Array(REGISTERS_PER_VCPU).fill(0.5));
  for (let turn = 0; turn < TURNS; turn++) {
    const encoded = turn % 2 === 0 ? compact(bitmap) : encodeRaw(bitmap);
    roundTrip({
      name: 'HAND_OVER',
      registers,
      guestClockUs: 1.5,
      pagesFollow: true,
      finalRound: turn,
      finalPages: 1,
      bitmap: encoded,
    });
    expand(encoded, pageCount).count();
    roundTrip({
      name: 'RESUMED',
      receivedAt: 1.5,
      validationMs: 1.5,
      placementMs: 1.5,
      resumeMs: 1.5,
      answeredAt: 1.5,
      firstSliceAt: registers.map(() => 1.5),
    });
  }
}

function roundTrip(message: Message): void {
  for (const frame of new FrameReader().consume(Buffer.concat(encodeMessage(message)))) decodeMessage(frame);
}
