// Where the two sides of a migration find each other's pages: the workers' ports, or those of an emulated link before them.
// Knows addresses only.
import type { EmulatedLink, EmulatedLinkEvents, Emulation } from '../lab/emulated-link.js';
import type { Dials } from '../shared/wire/connection-end.js';
import { MicrostunError, ProtocolError } from '../shared/errors.js';
import { addressInRow, type Address } from '../shared/wire/sockets.js';
import type { Pass } from '../shared/wire/pass.js';
import { isThisHostOnly } from '../shared/wire/security.js';
import type { OutgoingHands, PageCopiers, Tracer } from './hands.js';

export interface ListenOptions {
  /** The destination. */
  readonly to: Address;
  /** Who dials the page and fault connections. */
  readonly plan: { readonly dials: Dials };
  /** Where the destination finds them, if it dials; port 0 is any free one, another is the first of a row. */
  readonly listen: Address;
  readonly connections: number;
  /** Caps what the page connections send together. */
  readonly bytesPerSecond: number | undefined;
  /** Whether all pages carry a check of their bytes. */
  readonly pageChecks: boolean;
  /** The same for the pages that faults ask for. */
  readonly faultBytesPerSecond: number | undefined;
  /** An emulated network instead of the real one. */
  readonly emulation: Emulation | undefined;
}

export interface Listening {
  /** Whom to dial for control. */
  readonly controlAddress: Address;
  /** Where the destination dials; none and 0 where the source does. */
  readonly pagePorts: readonly number[];
  readonly faultPort: number;
  readonly link: EmulatedLink | undefined;
  /**
   * Where the source dials: dials `ports` of the destination, the last for the fault connection. `host` is its address;
   * an emulated link knows it already.
   * @throws MicrostunError what failed but a dial, which is lost and may be dialled again.
   */
  dial(host: string, ports: readonly number[]): Promise<void>;
}

/** Where the workers listen, and whatever the source dials is dialled, when a link is emulated in this process. */
const BEHIND_THE_LINK: Address = { host: '127.0.0.1', port: 0 };

/**
 * Starts the workers, and has them listen if the destination dials. Through an emulated link, they listen behind it and
 * the destination dials its ports instead.
 * @throws MicrostunError LISTEN_FAILED.
 */
export async function listenForPages(
  pass: Pass,
  options: ListenOptions,
  copiers: PageCopiers,
  tracer: Pick<Tracer, 'open'>,
  hands: Pick<OutgoingHands, 'emulatedLink'>,
  linkEvents: EmulatedLinkEvents,
): Promise<Listening> {
  const { connections, listen, emulation, bytesPerSecond, pageChecks, to, plan } = options;
  const isAwaited = plan.dials === 'destination';
  const end = isAwaited ? 'awaited' : 'dialled';
  copiers.start({ connections, end, pass, bytesPerSecond, pageChecks });
  const own = emulation === undefined ? listen : BEHIND_THE_LINK;
  const ports = isAwaited ? await openAll(pass, options, copiers, tracer, rowOf(own, connections + 1)) : [];
  const dialled = async (addresses: readonly Address[]): Promise<void> => {
    await openAll(pass, options, copiers, tracer, addresses);
  };
  if (emulation === undefined) {
    const dial = async (host: string, at: readonly number[]): Promise<void> => {
      // Node takes no host for this one.
      if (host === '')
        throw new MicrostunError(
          'CONNECTION_LOST',
          'the destination was gone before it was known where it is',
        );
      await dialled(checked(at, connections).map((port) => ({ host, port })));
    };
    return { ...portsOf(ports), controlAddress: to, link: undefined, dial };
  }
  const link = hands.emulatedLink(emulation, linkEvents);
  const routes = ports.map((port, index) => ({
    listen: addressInRow(listen, index),
    to: { ...BEHIND_THE_LINK, port },
  }));
  const started = link.start([{ listen: BEHIND_THE_LINK, to }, ...routes], isThisHostOnly(pass.security));
  // One that cannot listen is closed by nobody else.
  started.catch(() => link.close());
  const [controlPort, ...linkPorts] = await started;
  return {
    ...portsOf(linkPorts),
    controlAddress: { ...BEHIND_THE_LINK, port: controlPort! },
    link,
    dial: async (_, at) => {
      const more = checked(at, connections).map((port) => ({
        listen: BEHIND_THE_LINK,
        to: { host: to.host, port },
      }));
      await dialled((await link.add(more)).map((port) => ({ ...BEHIND_THE_LINK, port })));
    },
  };
}

function checked(ports: readonly number[], connections: number): readonly number[] {
  if (ports.length !== connections + 1)
    throw new ProtocolError(
      `the destination listens on ${ports.length} ports for ${connections} connections and faults`,
    );
  return ports;
}

// The last is the fault connection's.
async function openAll(
  pass: Pass,
  { plan, faultBytesPerSecond }: ListenOptions,
  copiers: PageCopiers,
  tracer: Pick<Tracer, 'open'>,
  addresses: readonly Address[],
): Promise<readonly number[]> {
  const [pagePorts, faultPort] = await Promise.all([
    copiers.open(addresses.slice(0, -1)),
    tracer.open({
      end: plan.dials === 'destination' ? 'awaited' : 'dialled',
      at: addresses.at(-1)!,
      pass,
      bytesPerSecond: faultBytesPerSecond,
    }),
  ]);
  return [...pagePorts, faultPort];
}

function rowOf(first: Address, count: number): readonly Address[] {
  return Array.from({ length: count }, (_, index) => addressInRow(first, index));
}

function portsOf(ports: readonly number[]): Pick<Listening, 'pagePorts' | 'faultPort'> {
  return { pagePorts: ports.slice(0, -1), faultPort: ports.at(-1) ?? 0 };
}
