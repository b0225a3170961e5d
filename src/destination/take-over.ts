// The hand-over as the destination does it, in the stun: the message is checked, the pages are compared, the guest resumes.
// Nothing here waits but for the guest's first slices; when each step is due is states/hand-over.ts's to say.
import { ProtocolError } from '../shared/errors.js';
import { quantileOf } from '../shared/guest/fault-latency.js';
import type { Time } from '../shared/time.js';
import type { IncomingMachine } from './hands.js';
import type { Place } from './preparation.js';
import type { IncomingEffect, IncomingEvent } from './states/events.js';
import { checkHandOver, checkLastRound } from './states/hand-over-check.js';

type Effect<Kind extends IncomingEffect['kind']> = Extract<IncomingEffect, { kind: Kind }>;

/**
 * Checks all of the message, before anything of it is used.
 * @throws ProtocolError what is wrong with it; MicrostunError GUEST_FAILED when the guest cannot be resumed.
 */
export function validate(
  { machine }: Place<IncomingMachine>,
  { prepare, handOver, receivedAt }: Effect<'validate'>,
  time: Time,
): IncomingEvent {
  const { lacking, lackingPages } = checkHandOver(prepare.guest, handOver);
  machine.assertParked();
  return { kind: 'validated', validated: { lacking, lackingPages, receivedAt, validatedAt: time.nowUs() } };
}

/**
 * From here on nobody overwrites a page, so what came stays as it is compared.
 * @throws ProtocolError when a page is on its way still, or others came than were promised.
 */
export function confirm(
  { receivers }: Place<IncomingMachine>,
  { pagesFollow, lacking }: Effect<'confirm'>,
): IncomingEvent {
  if (!receivers.shut())
    throw new ProtocolError('a region of pages was on its way when the guest was handed over');
  if (!pagesFollow) checkLastRound(lacking, receivers.checkedPages);
  return { kind: 'confirmed' };
}

/** The guest is this side's, and runs. Answers once each vCPU has begun a slice. */
export async function takeOver(
  { machine, pages }: Place<IncomingMachine>,
  { handOver, validated, lackingPages }: Effect<'resume'>,
  time: Time,
): Promise<IncomingEvent> {
  const { lacking, receivedAt, validatedAt } = validated;
  pages.handOver(lacking, lackingPages);
  const resumedAt = time.nowUs();
  machine.restore(handOver);
  await machine.resume();
  const answeredAt = time.nowUs();
  return {
    kind: 'resumed',
    resumedAt,
    answer: {
      name: 'RESUMED',
      receivedAt,
      validationMs: (validatedAt - receivedAt) / 1000,
      placementMs: (resumedAt - validatedAt) / 1000,
      resumeMs: (answeredAt - resumedAt) / 1000,
      answeredAt,
      firstSliceAt: [...machine.counters().firstSliceAt],
    },
  };
}

/** Every page is here and PRESENT; what remote page faults have cost the guest until now. */
export function settledEvent(
  { machine }: Place<IncomingMachine>,
  fetchedPages: number,
  time: Time,
): IncomingEvent {
  const { remoteFaults, faultBuckets, longestFaultUs } = machine.counters();
  return {
    kind: 'settled',
    settledAt: time.nowUs(),
    fetchedPages,
    faults: {
      remotePageFaults: remoteFaults,
      latencyP50Us: Math.min(longestFaultUs, quantileOf(faultBuckets, 0.5)),
      latencyP99Us: Math.min(longestFaultUs, quantileOf(faultBuckets, 0.99)),
      latencyMaxUs: longestFaultUs,
      latencyBuckets: [...faultBuckets],
    },
  };
}
