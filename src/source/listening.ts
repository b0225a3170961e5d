// Where the destination of a migration finds its pages: the workers' ports, or those of an emulated link before them.
// Knows addresses only.
import type { EmulatedLink, EmulatedLinkEvents, Emulation } from '../lab/emulated-link.js';
import type { Address } from '../shared/wire/sockets.js';
import type { OutgoingHands, PageCopiers, Tracer } from './hands.js';

export interface ListenOptions {
  /** The destination. */
  readonly to: Address;
  /** Where the page connections listen; port 0 is any free one, another is the first of a row. */
  readonly listen: Address;
  readonly connections: number;
  /** Caps what the page connections send together. */
  readonly bytesPerSecond: number | undefined;
  /** The same for the pages that faults ask for. */
  readonly faultBytesPerSecond: number | undefined;
  /** An emulated network instead of the real one. */
  readonly emulation: Emulation | undefined;
}

export interface Listening {
  /** Whom to dial for control. */
  readonly controlAddress: Address;
  readonly pagePorts: readonly number[];
  readonly faultPort: number;
  readonly link: EmulatedLink | undefined;
}

/** Where the workers listen, and the control connection is dialled, when a link is emulated in this process. */
const BEHIND_THE_LINK: Address = { host: '127.0.0.1', port: 0 };

/**
 * Starts the workers. Through an emulated link, they listen behind it and the destination dials its ports instead.
 * @throws MicrostunError LISTEN_FAILED.
 */
export async function listenForPages(
  migrationId: string,
  options: ListenOptions,
  copiers: PageCopiers,
  tracer: Pick<Tracer, 'listen'>,
  hands: Pick<OutgoingHands, 'emulatedLink'>,
  linkEvents: EmulatedLinkEvents,
): Promise<Listening> {
  const { connections, listen, emulation, bytesPerSecond, faultBytesPerSecond, to } = options;
  const own = emulation === undefined ? listen : BEHIND_THE_LINK;
  const [pagePorts, faultPort] = await Promise.all([
    copiers.start({ connections, listen: own, migrationId, bytesPerSecond }),
    tracer.listen({
      listen: { host: own.host, port: portAt(own.port, connections) },
      migrationId,
      bytesPerSecond: faultBytesPerSecond,
    }),
  ]);
  if (emulation === undefined) return { controlAddress: to, pagePorts, faultPort, link: undefined };
  const link = hands.emulatedLink(emulation, linkEvents);
  const routes = [...pagePorts, faultPort].map((port, index) => ({
    listen: { host: listen.host, port: portAt(listen.port, index) },
    to: { ...BEHIND_THE_LINK, port },
  }));
  const started = link.start([{ listen: BEHIND_THE_LINK, to }, ...routes]);
  // One that cannot listen is closed by nobody else.
  started.catch(() => link.close());
  const [controlPort, ...ports] = await started;
  return {
    controlAddress: { ...BEHIND_THE_LINK, port: controlPort! },
    pagePorts: ports.slice(0, connections),
    faultPort: ports[connections]!,
    link,
  };
}

function portAt(first: number, index: number): number {
  return first === 0 ? 0 : first + index;
}
