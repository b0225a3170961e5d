// The stun from its instants: its parts, the guest's own gap, and whether the two hosts' clocks tell the same story.
// Pure; instants are microseconds of the clock of whoever took them.
import { MicrostunError } from '../../shared/errors.js';
import type { StunReport } from '../../report/document.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import type { ClockOffset } from './clock-offset.js';
import type { LastHarvest } from '../tracer/tracer.js';

/** A slice is well under this (docs/guests.md): what two views of the same stun may differ by beside the clocks. */
const SLICE_US = 100;

/** What a stun is made of. */
export interface StunInstants {
  /** When the vCPUs were told to park. */
  readonly stopAt: number;
  readonly last: LastHarvest;
  /** When each vCPU's last slice at the source ended. */
  readonly lastSliceEndAt: readonly number[];
  /** When the hand-over was given to the socket. */
  readonly sentAt: number;
  readonly answer: MessageOf<'RESUMED'>;
  readonly answerReceivedAt: number;
  readonly clock: ClockOffset;
}

/**
 * The stun's report.
 * @throws MicrostunError MEASUREMENT when the two views of it contradict each other.
 */
export function stunOf(instants: StunInstants): StunReport {
  const { stopAt, last, sentAt, answer, answerReceivedAt, clock } = instants;
  const destinationUs = answer.answeredAt - answer.receivedAt;
  const networkUs = answerReceivedAt - sentAt - destinationUs;
  const gapsUs = answer.firstSliceAt.map((_, vcpu) => gapOf(instants, vcpu));
  gapsUs.forEach((gapUs, vcpu) => {
    checkAgreement(instants, vcpu, gapUs, networkUs);
  });
  return {
    stunMs: (answerReceivedAt - stopAt) / 1000,
    guestGapMs: Math.max(...gapsUs) / 1000,
    clockErrorMs: clock.errorUs / 1000,
    parts: {
      parkMs: (last.parkedAt - stopAt) / 1000,
      harvestMs: (last.harvestedAt - last.parkedAt) / 1000,
      compactionMs: (last.compactedAt - last.harvestedAt) / 1000,
      sendMs: (sentAt - last.compactedAt) / 1000,
      networkMs: networkUs / 1000,
      validationMs: answer.validationMs,
      placementMs: answer.placementMs,
      resumeMs: answer.resumeMs,
    },
  };
}

// From the vCPU's last slice there, or the stop if it was asleep by its own wish, to its first one here: on two clocks.
function gapOf({ answer, clock, ...instants }: StunInstants, vcpu: number): number {
  return answer.firstSliceAt[vcpu]! - clock.offsetUs - gapFrom(instants, vcpu);
}

function gapFrom(
  { stopAt, lastSliceEndAt }: Pick<StunInstants, 'stopAt' | 'lastSliceEndAt'>,
  vcpu: number,
): number {
  return Math.max(lastSliceEndAt[vcpu] ?? 0, stopAt);
}

/**
 * The stun on the source's clock is longer than the gap by what the gap does not hold: the last slice after the stop,
 * the destination's time from the first slice to its answer (below 0 where the answer goes first), and the answer's way
 * back. The first two were measured, each on one clock; the way back is some of the time on the network. Whatever is beyond
 * that, a slice and the clocks' error is a contradiction.
 */
function checkAgreement(instants: StunInstants, vcpu: number, gapUs: number, networkUs: number): void {
  const { stopAt, answer, answerReceivedAt, clock } = instants;
  const lastSliceUs = gapFrom(instants, vcpu) - stopAt;
  const afterFirstSliceUs = answer.answeredAt - answer.firstSliceAt[vcpu]!;
  const longestUs = answerReceivedAt - stopAt - lastSliceUs - afterFirstSliceUs;
  const shortestUs = longestUs - networkUs;
  const toleranceUs = clock.errorUs + SLICE_US;
  if (gapUs <= longestUs + toleranceUs && gapUs >= shortestUs - toleranceUs) return;
  const ms = (us: number): string => `${(us / 1000).toFixed(3)} ms`;
  throw new MicrostunError(
    'MEASUREMENT',
    `vCPU ${vcpu} stood still for ${ms(gapUs)} by the two hosts' clocks (± ${ms(clock.errorUs)}), ` +
      `but by the stun on the source's clock it was ${ms(shortestUs)} to ${ms(longestUs)}; a clock jumped: migrate again`,
  );
}
