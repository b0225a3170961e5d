// What a place and its threads tell, as events of the migration; and what is done at once, before the migration looks at it.
// Decides nothing.
import type { MicrostunError } from '../shared/errors.js';
import { mismatchText } from '../shared/mismatch-text.js';
import type { Time } from '../shared/time.js';
import type { IncomingMachine } from './hands.js';
import { pageNews } from './page-news.js';
import type { Place, PreparationEvents } from './preparation.js';
import { settledEvent } from './resumed.js';
import type { IncomingEvent } from './states/events.js';

/** Samples are not queued behind more than this: three of the largest. */
const SAMPLES_QUEUED_BYTES_MAX = 64 * 1024;

/** Who hears of a place. */
export interface PlaceOwner {
  readonly time: Time;
  /** Made by now, or not. */
  readonly place: () => Place<IncomingMachine> | undefined;
  /** Bytes that wait for the source to read. */
  readonly queuedBytes: () => number;
  happened(event: IncomingEvent): void;
  guestFailed(error: MicrostunError): void;
  fetcherFailed(error: MicrostunError): void;
  warn(text: string): void;
}

export function placeEvents(owner: PlaceOwner): PreparationEvents {
  const news = pageNews({
    happened: (event) => {
      owner.happened(event);
      // A hand-over may wait for it.
      if (event.kind === 'round-placed') owner.place()?.fetcher.roundPlaced();
    },
    settled: (fetchedPages) => {
      const place = owner.place();
      if (place !== undefined) owner.happened(settledEvent(place, fetchedPages, owner.time));
    },
    compared: (compared) => {
      if (compared.mismatchedPages > 0) owner.warn(mismatchText(compared));
      const { mismatched, ...counts } = compared;
      owner.happened({
        kind: 'verified',
        answer: { name: 'VERIFIED', ...counts, mismatched: [...mismatched] },
      });
    },
    failed: (error, who) => {
      owner.warn(error.message);
      if (who === 'fetcher') owner.fetcherFailed(error);
      owner.happened({ kind: 'helper-failed', error });
    },
  });
  return {
    ...news,
    failed: (error) => {
      owner.guestFailed(error);
      owner.happened({ kind: 'failed', error });
    },
    samplingFailed: (error) => {
      owner.warn(error.message);
    },
    sampled: (samples) => {
      // A source that does not read gets none: they are not kept for it.
      if (owner.queuedBytes() < SAMPLES_QUEUED_BYTES_MAX) owner.happened({ kind: 'sampled', samples });
    },
  };
}
