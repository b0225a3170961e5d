// Whether a request to the live view may be answered: pages of other origins must not read it, also not by a name that
// was made to point here (DNS rebinding). Pure; knows headers only.
import { isLoopback } from '../../shared/wire/security.js';
import type { Address } from '../../shared/wire/sockets.js';

/** The headers that a decision rests on, as they came. */
export interface RequestHeaders {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly secFetchMode: string | undefined;
}

/** Where the live view is served. */
export interface Served {
  /** Where it really listens. */
  readonly bound: Address;
  /** The host as it was asked for. */
  readonly host: string;
}

/** Why a request is refused; undefined when it is not. */
export function refusalOf(headers: RequestHeaders, served: Served): string | undefined {
  const host = parseHost(headers.host);
  if (host === undefined) return 'the request names no host';
  if (isLoopback(served.bound.host) && !isServedName(host, served))
    return `this live view is served at ${served.bound.host}:${served.bound.port}, not by that name`;
  if (headers.origin !== undefined && !isSameOrigin(headers.origin, host))
    return 'a page of another origin may not read the live view';
  // A link from elsewhere may lead here; a script or an element of elsewhere may not ask.
  const isForeign = headers.secFetchSite === 'cross-site' || headers.secFetchSite === 'same-site';
  if (isForeign && headers.secFetchMode !== 'navigate') return 'another site may not read the live view';
  return undefined;
}

interface NamedHost {
  readonly name: string;
  readonly port: number;
}

function isServedName({ name, port }: NamedHost, { bound, host }: Served): boolean {
  return port === bound.port && [bound.host, host.toLowerCase(), 'localhost'].includes(name);
}

function isSameOrigin(origin: string, { name, port }: NamedHost): boolean {
  const from = origin.startsWith('http://') ? parseHost(origin.slice('http://'.length)) : undefined;
  return from?.name === name && from.port === port;
}

/** A Host header; without a port it is HTTP's own. */
function parseHost(text: string | undefined): NamedHost | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text ?? '');
  if (match === null) return undefined;
  return { name: (match[1] ?? match[2] ?? '').toLowerCase(), port: Number(match[3] ?? 80) };
}
