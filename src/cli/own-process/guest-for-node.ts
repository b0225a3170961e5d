// The process of a guest that people bring, at a destination: takes the guest as a node does, and hosts it to its end.
// Knows one migration; its control connection's socket, its place and its promise of memory are the node's.
import { bindingsOf } from '../device-options.js';
import { hostHands } from '../../destination/hands.js';
import { IncomingMigration } from '../../destination/incoming.js';
import { isMissed } from '../../destination/states/lacking.js';
import { lastMessages } from '../../destination/states/outcome.js';
import { isAtGate, isHandedOver, isRefusable, type IncomingState } from '../../destination/states/states.js';
import { borrowedTerminal } from '../borrowed-terminal.js';
import { incomingLimitsOf } from '../destination-limits.js';
import type { DestinationArguments } from '../destination-run.js';
import { HostedGuest, type GuestHost } from '../hosted-guest.js';
import { createLogger, guestWarnings } from '../logger.js';
import { standardError } from '../output.js';
import { securityOf } from '../security.js';
import { heard, told, type GuestNotice, type NodeNotice } from './notices.js';
import { RemoteControl } from './remote-control.js';

/** Answers the exit status: how the guest ended is the node's to judge. */
export async function runGuestForNode(args: DestinationArguments): Promise<number> {
  await new GuestForNode(args).run();
  return 0;
}

const tell = (notice: GuestNotice): void => {
  process.send?.(notice, undefined, undefined, () => undefined);
};

class GuestForNode {
  readonly #args: DestinationArguments;
  readonly #logger;
  #migration: IncomingMigration | undefined;
  #control: { readonly number: number; readonly connection: RemoteControl } | undefined;
  #guest: HostedGuest | undefined;
  #begin: (migration: IncomingMigration) => void = () => undefined;
  readonly #begun = new Promise<IncomingMigration>((resolve) => {
    this.#begin = resolve;
  });
  #live: (mayForward: boolean) => void = () => undefined;
  readonly #lives = new Promise<boolean>((resolve) => {
    this.#live = resolve;
  });

  constructor(args: DestinationArguments) {
    this.#args = args;
    this.#logger = createLogger('destination', args.logLevel, {
      isTerminal: standardError.isTerminal || borrowedTerminal.isTerminal,
      say: (line) => {
        standardError.say(line);
      },
    });
  }

  async run(): Promise<void> {
    process.on('message', (notice) => {
      this.#hear(notice as NodeNotice);
    });
    // Between two notices there may be nothing else that keeps this process.
    process.channel?.ref();
    const migration = await this.#begun;
    const result = await migration.run();
    const error = 'error' in result ? told(result.error) : undefined;
    tell({ kind: 'migrated', result: result.kind, error });
    if (result.kind !== 'refused') {
      let mayForward = false;
      const guest = new HostedGuest(this.#hostOf(() => mayForward && !(mayForward = false)));
      this.#guest = guest;
      migration.onGuestFailure((failure) => {
        guest.end(failure);
      });
      mayForward = await this.#lives;
      const end = await guest.live(result);
      tell({ kind: 'over', end: { ...end, error: end.error && told(end.error) } });
    }
    process.removeAllListeners('disconnect');
    process.disconnect();
  }

  #hear(notice: NodeNotice): void {
    switch (notice.kind) {
      case 'begin':
        this.#migration = this.#migrationOf(notice);
        this.#begin(this.#migration);
        return;
      case 'attach':
        this.#attach(notice);
        return;
      case 'received':
        this.#controlOf(notice)?.received(notice);
        return;
      case 'queued':
        this.#controlOf(notice)?.noteQueued(notice.sent, notice.bytes);
        return;
      case 'closed':
        this.#controlOf(notice)?.lost(notice.error && heard(notice.error));
        return;
      case 'make-way':
        void this.#migration?.makeWay();
        return;
      case 'cancel':
        this.#migration?.cancel(notice.reason);
        return;
      case 'live':
        this.#live(notice.mayForward);
        return;
      case 'end':
        this.#guest?.end(heard(notice.reason));
        return;
      case 'cancel-forwarding':
        this.#guest?.cancelForwarding(notice.reason);
    }
  }

  #migrationOf({
    migrationId,
    ticket,
    module,
  }: Extract<NodeNotice, { readonly kind: 'begin' }>): IncomingMigration {
    const security = securityOf(this.#args, []);
    const hands = hostHands(security, {
      ...guestWarnings(this.#logger),
      pageListen: this.#args.pageListen,
      bindings: bindingsOf(this.#args, security),
    });
    return new IncomingMigration(
      migrationId,
      ticket,
      {
        limits: incomingLimitsOf(this.#args),
        logger: this.#logger,
        // The node has let it in.
        allowed: { check: () => module },
        room: {
          now: () => ({
            guestBytesMax: this.#args.maxMemory,
            availableBytes: Infinity,
            promisedBytes: 0,
            reserved: undefined,
          }),
          promise: () => undefined,
        },
      },
      {
        ...hands,
        step: (limits, state, event) => {
          const step = hands.step(limits, state, event);
          // Before its effects: whatever is said, the node knows where it was said.
          if (step.state !== state) tell({ kind: 'mirror', mirror: mirrorOf(step.state) });
          return step;
        },
      },
    );
  }

  #attach(notice: Extract<NodeNotice, { readonly kind: 'attach' }>): void {
    const { connection: number, peerHost, localHost, peerCertificate } = notice;
    this.#migration?.attach({
      peerHost,
      localHost,
      peerCertificate,
      claim: (events) => {
        const connection = new RemoteControl(number, events, tell);
        this.#control = { number, connection };
        return connection;
      },
      drop: () => {
        tell({ kind: 'hang-up', connection: number, isAbrupt: true });
      },
    });
  }

  #controlOf({ connection }: { readonly connection: number }): RemoteControl | undefined {
    return this.#control?.number === connection ? this.#control.connection : undefined;
  }

  #hostOf(takeHop: () => boolean): GuestHost {
    return {
      args: this.#args,
      logger: this.#logger,
      say: (text) => {
        tell({ kind: 'say', text });
      },
      takeHop,
      returnHop: () => {
        tell({ kind: 'hop-returned' });
      },
      forwarding: (isUnderWay) => {
        tell({ kind: 'forwarding', isUnderWay });
      },
      forwarded: (document, status) => {
        tell({ kind: 'forwarded', document, status });
      },
    };
  }
}

function mirrorOf(state: IncomingState): Extract<GuestNotice, { readonly kind: 'mirror' }>['mirror'] {
  return {
    phase: state.name,
    isHandedOver: isHandedOver(state),
    isSourceMissed: isMissed(state),
    isRefusable: isRefusable(state),
    isAtGate: isAtGate(state),
    lastMessages: lastMessages(state),
  };
}
