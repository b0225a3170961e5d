// What is told of a guest that was taken over: how it began to run, and what came of the pages that it lacked.
// Decides nothing; when each is due is states/hand-over.ts's and states/lacking.ts's to say.
import { quantileOf } from '../shared/guest/fault-latency.js';
import type { Time } from '../shared/time.js';
import type { IncomingMachine } from './hands.js';
import type { Place } from './preparation.js';
import type { IncomingEvent } from './states/events.js';
import type { TakenOver } from './take-over.js';

/** Once each vCPU has begun a slice. */
export async function resumed(
  { machine }: Pick<Place<IncomingMachine>, 'machine'>,
  { receivedAt, validatedAt, markedAt, answeredAt }: TakenOver,
): Promise<IncomingEvent> {
  await machine.begun();
  return {
    kind: 'resumed',
    answer: {
      name: 'RESUMED',
      receivedAt,
      validationMs: (validatedAt - receivedAt) / 1000,
      placementMs: (markedAt - validatedAt) / 1000,
      resumeMs: (answeredAt - markedAt) / 1000,
      answeredAt,
      firstSliceAt: [...machine.counters().firstSliceAt],
    },
  };
}

/** What is known of a take-over that whoever did it cannot tell of any more. */
export function unknownTakeOver({ pages }: Pick<Place<IncomingMachine>, 'pages'>, time: Time): TakenOver {
  const { lackingPages } = pages;
  const at = time.nowUs();
  return {
    pagesFollow: lackingPages > 0,
    lackingPages,
    receivedAt: at,
    validatedAt: at,
    markedAt: at,
    answeredAt: at,
  };
}

/** Every page is here and PRESENT; what remote page faults have cost the guest until now. */
export function settledEvent(
  { machine }: Pick<Place<IncomingMachine>, 'machine'>,
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
