// The flags that say where the devices of a guest are reached on this host.
// Knows names and addresses; which devices a guest has is its own to declare.
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import type { DeviceBindings } from '../shared/devices/device-bindings.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { parseAddress } from '../shared/units.js';
import type { Security } from '../shared/wire/security.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';

/** Flags of whatever runs a guest for longer than a migration. */
export function deviceOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['publish', 'carry'])
    .option('publish', {
      type: 'string',
      array: true,
      default: [],
      defaultDescription: 'none',
      describe:
        'Where a device of the guest is reached on this host, name=host:port, such as redis=127.0.0.1:6379; may be repeated. In clear text and by anybody who can connect: what a service asks of its clients is its own business',
      coerce: (texts: string[]) => parseBindings('--publish', texts),
    })
    .option('carry', {
      type: 'string',
      array: true,
      default: [],
      defaultDescription: 'none',
      describe:
        'Where gateways, which carry the clients of a service from host to host, come in, name=host:port; may be repeated. Protected as migrations are',
      coerce: (texts: string[]) => parseBindings('--carry', texts),
    });
}

export interface DeviceArguments {
  /** By the devices' names. */
  readonly publish: Readonly<Record<string, Address>>;
  readonly carry: Readonly<Record<string, Address>>;
}

export const NOTHING_PUBLISHED: DeviceArguments = { publish: {}, carry: {} };

function parseBindings(flag: string, texts: readonly string[]): Readonly<Record<string, Address>> {
  const bindings = new Map<string, Address>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1)
      throw new MicrostunError(
        'USAGE',
        `${flag} ${text} names no device; write name=host:port, such as redis=127.0.0.1:6379`,
      );
    const name = text.slice(0, at);
    if (bindings.has(name))
      throw new MicrostunError('USAGE', `${flag} says twice where "${name}" is reached; say it once`);
    bindings.set(name, parseAddress(text.slice(at + 1), '127.0.0.1'));
  }
  return Object.fromEntries(bindings);
}

/** Where devices are reached, as a machine takes it. */
export function bindingsOf({ publish, carry }: DeviceArguments, security: Security): DeviceBindings {
  return { published: publish, carried: carry, security };
}

/** Where the devices of a machine are reached, a sentence each. */
export function describeListening({
  spec,
  listeningDevices: { published, carried },
}: Pick<GuestMachine, 'spec' | 'listeningDevices'>): string[] {
  return spec.devices.flatMap(({ name, kind }) => {
    const [clients, gateways] = [published[name], carried[name]];
    return [
      ...(clients === undefined ? [] : [`${kind} "${name}" is at ${formatAddress(clients)}`]),
      ...(gateways === undefined ? [] : [`${kind} "${name}" takes gateways at ${formatAddress(gateways)}`]),
    ];
  });
}

/** @throws MicrostunError USAGE when a device is published that the guest does not have. */
export function refuseUnknownDevices(
  { publish, carry }: DeviceArguments,
  { program, devices }: GuestSpec,
): void {
  const named = [...Object.keys(publish), ...Object.keys(carry)];
  const carriedConsole = devices.find(({ name, kind }) => kind === 'console' && Object.hasOwn(carry, name));
  if (carriedConsole !== undefined)
    throw new MicrostunError(
      'USAGE',
      `--carry is of services, and "${carriedConsole.name}" is a console; --publish it on each host`,
    );
  const unknown = named.find((name) => !devices.some((device) => device.name === name));
  if (unknown === undefined) return;
  const all = devices.map(({ name, kind }) => `${name} (a ${kind})`).join(', ');
  throw new MicrostunError(
    'USAGE',
    `guest "${program}" has no device "${unknown}"; ${all === '' ? 'it has none' : `it has ${all}`}`,
  );
}
