// How the page and fault connections of a migration come about: dialled at its source, or awaited here.
// Pure; addresses only.
import { MicrostunError } from '../shared/errors.js';
import type { EndKind } from '../shared/wire/connection-end.js';
import type { MessageOf } from '../shared/wire/messages.js';
import { addressInRow, type Address } from '../shared/wire/sockets.js';

export interface PageWays {
  readonly end: EndKind;
  /** Where each page connection is dialled, or awaited. */
  readonly pages: readonly Address[];
  readonly faults: Address;
}

/** Between which addresses the control connection is. */
export interface ControlPath {
  /** The source's. */
  readonly host: string;
  /** Ours. */
  readonly localHost: string;
}

/**
 * A source is dialled where its control connection came from, and at no other address. One that dials is awaited where
 * that came in, on any free ports, or at `listen` and on the ports after it.
 * @throws MicrostunError CONNECTION_LOST when it is not known between which addresses the connection was.
 */
export function pageWays(
  { connections, dials, pagePorts, faultPort }: MessageOf<'PREPARE'>,
  { host, localHost }: ControlPath,
  listen: Address = { host: localHost, port: 0 },
): PageWays {
  // Node takes no host for this one.
  if (host === '' || localHost === '')
    throw new MicrostunError('CONNECTION_LOST', 'the source was gone before it was known from where it came');
  if (dials === 'destination')
    return {
      end: 'dialled',
      pages: pagePorts.map((port) => ({ host, port })),
      faults: { host, port: faultPort },
    };
  return {
    end: 'awaited',
    pages: Array.from({ length: connections }, (_, index) => addressInRow(listen, index)),
    faults: addressInRow(listen, connections),
  };
}
