// Runs a gateway until it is interrupted, and says where the guest is.
// Knows when the process ends; what is carried, and how, is src/gateway's.
import { Gateway } from '../gateway/gateway.js';
import { formatCount } from '../shared/units.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';
import { Progress } from './progress.js';
import { refuseClearText } from './reach.js';
import { securityOf } from './security.js';
import type { SecurityArguments } from './security-options.js';
import { onInterrupt } from './source-run.js';

export interface GatewayArguments extends SecurityArguments {
  readonly listen: Address;
  /** Where gateways come in at each node. */
  readonly node: { readonly addresses: readonly Address[] };
}

/** Answers the exit status. */
export async function runGateway(args: GatewayArguments): Promise<number> {
  const nodes = args.node.addresses;
  const security = securityOf(
    args,
    nodes.map(({ host }) => host),
  );
  for (const node of nodes) refuseClearText(security, node, undefined);
  const progress = new Progress();
  const gateway = new Gateway(nodes, security, {
    found: (where, { moves, clients, isNew }) => {
      const which = isNew ? 'a guest is' : 'the guest is';
      progress.say(
        `${which} at ${where}${moves === 0 ? '' : `, after ${formatCount(moves)} ${moves === 1 ? 'move' : 'moves'}`}; ${formatCount(clients)} clients go on there`,
      );
    },
    missing: ({ message }) => {
      progress.say(`${message}; ${formatCount(gateway.clients)} clients wait until the guest is found`);
    },
    givenUp: (clients) => {
      progress.say(`no node had the guest for a minute: ${formatCount(clients)} clients were let go`);
    },
    unreachable: (where, { message }) => {
      progress.say(`no guest at ${where} yet: ${message}`);
    },
  });
  const interrupted = new Promise<void>((resolve) => {
    onInterrupt(() => {
      resolve();
      return 'end';
    });
  });
  const address = await gateway.open(args.listen);
  progress.say(`clients are carried from ${formatAddress(address)}`);
  await interrupted;
  gateway.close();
  return 0;
}
