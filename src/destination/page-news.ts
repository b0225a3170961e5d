// What receivers and fetcher tell, as events of the migration: of their connections, only what all of them come to.
// Does not know how they are dialled.
import { MicrostunError } from '../shared/errors.js';
import type { FetcherEvents } from './faults/fetcher.js';
import type { Compared } from './pages/hash-comparison.js';
import type { ReceiverEvents } from './pages/receivers.js';
import type { IncomingEvent } from './states/events.js';

export interface PageNewsEvents {
  happened(event: IncomingEvent): void;
  settled(fetchedPages: number): void;
  compared(compared: Compared): void;
  /** A worker that brings pages has failed; the fetcher's may have been about to take the guest over. */
  failed(error: MicrostunError, who: 'receivers' | 'fetcher'): void;
}

/** What is known of both, as far as one has to do with the other. */
interface Connections {
  /** Whether the source was ever connected for pages, and for faults. */
  wereReceiversUp: boolean;
  wasFetcherUp: boolean;
  areReceiversLost: boolean;
  isFetcherLost: boolean;
  /** Where a source that dials may do so. */
  pagePorts: readonly number[] | undefined;
  faultPort: number | undefined;
}

/** The events of both, one set a migration. */
export function pageNews(events: PageNewsEvents): {
  readonly receivers: ReceiverEvents;
  readonly fetcher: FetcherEvents;
} {
  const connections: Connections = {
    wereReceiversUp: false,
    wasFetcherUp: false,
    areReceiversLost: false,
    isFetcherLost: false,
    pagePorts: undefined,
    faultPort: undefined,
  };
  return { receivers: receiverNews(events, connections), fetcher: fetcherNews(events, connections) };
}

function receiverNews(events: PageNewsEvents, connections: Connections): ReceiverEvents {
  return {
    roundPlaced: (round, pages) => {
      events.happened({ kind: 'round-placed', round, pages });
    },
    compared: (compared) => {
      events.compared(compared);
    },
    allArrived: () => {
      events.happened({ kind: 'all-arrived' });
    },
    listening: (ports) => {
      connections.pagePorts = ports;
      tellListening(events, connections);
    },
    connected: (isWhole) => {
      connections.wereReceiversUp ||= isWhole;
      connections.areReceiversLost = !isWhole;
      if (isWhole && !connections.isFetcherLost) events.happened({ kind: 'pages-connected' });
    },
    moved: () => {
      events.happened({ kind: 'pages-moved' });
    },
    lost: (error) => {
      connections.areReceiversLost = true;
      events.happened(pagesLost(error, connections.wereReceiversUp));
    },
    failed: (error) => {
      events.failed(error, 'receivers');
    },
    outOfTurn: (error) => {
      events.happened({ kind: 'out-of-turn', error });
    },
  };
}

function fetcherNews(events: PageNewsEvents, connections: Connections): FetcherEvents {
  return {
    placing: () => {
      events.happened({ kind: 'placing' });
    },
    takenOver: (facts) => {
      events.happened({ kind: 'taken-over', facts });
    },
    declined: (error) => {
      events.happened({ kind: 'declined', code: declinedAs(error), error });
    },
    allArrived: () => {
      events.happened({ kind: 'all-arrived' });
    },
    settled: (fetchedPages) => {
      events.settled(fetchedPages);
    },
    listening: (port) => {
      connections.faultPort = port;
      tellListening(events, connections);
    },
    connected: () => {
      connections.isFetcherLost = false;
      connections.wasFetcherUp = true;
      if (!connections.areReceiversLost) events.happened({ kind: 'pages-connected' });
    },
    lost: (error) => {
      connections.isFetcherLost = true;
      events.happened(pagesLost(error, connections.wasFetcherUp));
    },
    failed: (error) => {
      events.failed(error, 'fetcher');
    },
  };
}

function tellListening(events: PageNewsEvents, { pagePorts, faultPort }: Connections): void {
  if (pagePorts !== undefined && faultPort !== undefined)
    events.happened({ kind: 'listening', pagePorts: [...pagePorts], faultPort });
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
