// What receivers and fetcher tell, as events of the migration: of their connections, only what all of them come to.
// Does not know how they are dialled.
import { MicrostunError } from '../shared/errors.js';
import type { FetcherEvents } from './faults/fetcher.js';
import type { ReceiverEvents } from './pages/receivers.js';
import type { IncomingEvent } from './states/events.js';

export interface PageNewsEvents {
  happened(event: IncomingEvent): void;
  settled(fetchedPages: number): void;
  /** A worker that brings pages has failed; the fetcher's may have been about to take the guest over. */
  failed(error: MicrostunError, who: 'receivers' | 'fetcher'): void;
}

/** The events of both, one set a migration. */
export function pageNews(events: PageNewsEvents): {
  readonly receivers: ReceiverEvents;
  readonly fetcher: FetcherEvents;
} {
  /** Whether the source was ever reached for pages, and for faults. */
  let wereReceiversUp = false;
  let wasFetcherUp = false;
  let isFetcherLost = false;
  let areReceiversLost = false;
  const happened = (event: IncomingEvent): void => {
    events.happened(event);
  };
  const allArrived = (): void => {
    happened({ kind: 'all-arrived' });
  };
  return {
    receivers: {
      roundPlaced: (round, pages) => {
        happened({ kind: 'round-placed', round, pages });
      },
      allArrived,
      connected: (isWhole) => {
        wereReceiversUp ||= isWhole;
        areReceiversLost = !isWhole;
        if (isWhole && !isFetcherLost) happened({ kind: 'pages-connected' });
      },
      moved: () => {
        happened({ kind: 'pages-moved' });
      },
      lost: (error) => {
        areReceiversLost = true;
        happened(pagesLost(error, wereReceiversUp));
      },
      failed: (error) => {
        events.failed(error, 'receivers');
      },
      outOfTurn: (error) => {
        happened({ kind: 'out-of-turn', error });
      },
    },
    fetcher: {
      placing: () => {
        happened({ kind: 'placing' });
      },
      takenOver: (facts) => {
        happened({ kind: 'taken-over', facts });
      },
      declined: (error) => {
        happened({ kind: 'declined', code: declinedAs(error), error });
      },
      allArrived,
      settled: (fetchedPages) => {
        events.settled(fetchedPages);
      },
      connected: () => {
        isFetcherLost = false;
        wasFetcherUp = true;
        if (!areReceiversLost) happened({ kind: 'pages-connected' });
      },
      lost: (error) => {
        isFetcherLost = true;
        happened(pagesLost(error, wasFetcherUp));
      },
      failed: (error) => {
        events.failed(error, 'fetcher');
      },
    },
  };
}

// A dial that fails again is a connection that was lost; only one that never was made says that nobody can be reached.
function pagesLost(error: MicrostunError, wasUp: boolean): IncomingEvent {
  const isLost = wasUp && error.code === 'CONNECT_FAILED';
  return {
    kind: 'pages-lost',
    error: isLost ? new MicrostunError('CONNECTION_LOST', error.message, { cause: error }) : error,
  };
}

// What is wrong here and not with what the source said is told as what it is.
function declinedAs({ code }: MicrostunError): 'GUEST_FAILED' | 'INSUFFICIENT_MEMORY' | 'PROTOCOL' {
  return code === 'GUEST_FAILED' || code === 'INSUFFICIENT_MEMORY' ? code : 'PROTOCOL';
}
