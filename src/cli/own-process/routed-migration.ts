// A migration that begins in the node, and goes on in a process of its own once its source has said that its guest is one
// that people bring. Knows PREPARE, and which guests are allowed; all else is whose turn it is.
import type { IncomingMigration, IncomingOptions } from '../../destination/incoming.js';
import type { PlacedMigration } from '../../destination/placed-migration.js';
import { letIn } from '../../destination/prepare-check.js';
import type { IncomingResult } from '../../destination/result.js';
import type { ControlConnection, UnclaimedConnection } from '../../shared/wire/control.js';
import type { Message, MessageOf } from '../../shared/wire/messages.js';
import { GuestElsewhere, type ElsewhereResult } from './guest-elsewhere.js';

/** How a guest's migration ended, wherever it is. */
export type RoutedResult = IncomingResult | ElsewhereResult;

export class RoutedMigration implements PlacedMigration<RoutedResult> {
  readonly id: string;
  readonly ticket: string;
  readonly #here: IncomingMigration;
  readonly #options: IncomingOptions;
  #elsewhere: GuestElsewhere | undefined;

  /** `here`: what takes guests that are built in, and refuses whom nobody takes. */
  constructor(here: IncomingMigration, options: IncomingOptions) {
    this.id = here.id;
    this.ticket = here.ticket;
    this.#here = here;
    this.#options = options;
  }

  get #current(): PlacedMigration<RoutedResult> {
    return this.#elsewhere ?? this.#here;
  }

  /** The process of its guest, if it has one. */
  get pid(): number | undefined {
    return this.#elsewhere?.pid;
  }

  get phase(): PlacedMigration<RoutedResult>['phase'] {
    return this.#current.phase;
  }

  get isAbandoned(): boolean {
    return this.#current.isAbandoned;
  }

  get isHandedOver(): boolean {
    return this.#current.isHandedOver;
  }

  get isSourceMissed(): boolean {
    return this.#current.isSourceMissed;
  }

  get lastMessages(): readonly Message[] {
    return this.#current.lastMessages;
  }

  attach(offered: UnclaimedConnection): void {
    if (this.#elsewhere !== undefined) this.#elsewhere.attach(offered);
    else this.#here.attach(this.#tapped(offered));
  }

  makeWay(): Promise<void> {
    return this.#current.makeWay();
  }

  cancel(reason: string): void {
    this.#current.cancel(reason);
  }

  /** From the end of `run` on, failures of a guest that is here are told. */
  onGuestFailure(listener: Parameters<IncomingMigration['onGuestFailure']>[0]): void {
    this.#here.onGuestFailure(listener);
  }

  async run(): Promise<RoutedResult> {
    const result = await this.#here.run();
    return this.#elsewhere === undefined ? result : this.#elsewhere.run();
  }

  // Looks at what is said, until it is known whose the connection is.
  #tapped(offered: UnclaimedConnection): UnclaimedConnection {
    return {
      peerHost: offered.peerHost,
      localHost: offered.localHost,
      peerCertificate: offered.peerCertificate,
      claim: (here) => {
        let owner = here;
        let isHere = true;
        const connection = offered.claim({
          received: (received) => {
            const { message } = received;
            const elsewhere = isHere && message.name === 'PREPARE' ? this.#processFor(message) : undefined;
            if (elsewhere !== undefined) {
              isHere = false;
              owner = elsewhere.take(connection, offered);
            }
            owner.received(received);
          },
          backlog: () => owner.backlog?.() ?? 0,
          closed: (error) => {
            owner.closed(error);
          },
        });
        return onlyWhile(() => isHere, connection);
      },
      drop: () => {
        offered.drop();
      },
    };
  }

  // The process for the guest that comes, if people brought it and there is room; who is to be refused is refused here.
  #processFor(prepare: MessageOf<'PREPARE'>): GuestElsewhere | undefined {
    if (this.#elsewhere !== undefined) return undefined;
    try {
      if (this.#options.allowed.check(prepare) === undefined) return undefined;
      const { module } = letIn(prepare, this.id, this.#options);
      this.#elsewhere =
        module === undefined ? undefined : new GuestElsewhere(this.id, this.ticket, prepare.guest, module);
    } catch {
      return undefined;
    }
    // What it would say is said by nobody.
    if (this.#elsewhere !== undefined) this.#here.cancel('its guest runs in a process of its own');
    return this.#elsewhere;
  }
}

/** `connection`, for an owner that has it only while `isOwner`. */
function onlyWhile(isOwner: () => boolean, connection: ControlConnection): ControlConnection {
  return {
    send: (message) => (isOwner() ? connection.send(message) : { bytes: 0, sentAt: 0 }),
    expectLife: (ms) => {
      if (isOwner()) connection.expectLife(ms);
    },
    end: () => {
      if (isOwner()) connection.end();
    },
    destroy: () => {
      if (isOwner()) connection.destroy();
    },
    get isDestroyed() {
      return connection.isDestroyed;
    },
    get queuedBytes() {
      return connection.queuedBytes;
    },
    get receivedBytes() {
      return connection.receivedBytes;
    },
    get carriedBytes() {
      return connection.carriedBytes;
    },
    get wireBytes() {
      return connection.wireBytes;
    },
  };
}
