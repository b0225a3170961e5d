// A destination on this host: its door is a listening socket, and its migrations have the host's hands.
// Decides nothing: node.ts leads the callers, incoming.ts takes the guests.
import { monotonicUs } from '../shared/clock.js';
import { unclaimed } from '../shared/wire/message-connection.js';
import { Door, type Caller } from '../shared/wire/door.js';
import { admit } from './door.js';
import { DroppedCallers } from './dropped-callers.js';
import type { IncomingHands } from './hands.js';
import { IncomingMigration, type IncomingOptions } from './incoming.js';
import { Destination, type DestinationParts, type Greeted } from './node.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { HostRoom } from './memory/host-room.js';
import type { PlacedMigration, PlacedResult } from './placed-migration.js';
import { AnswerBook } from './states/answer-book.js';

/** How many guests it has at once, and who hears how their migrations end. */
export type NodeOptions<Result extends PlacedResult, Migration extends PlacedMigration<Result>> = Pick<
  DestinationParts<Result, Migration>,
  'places' | 'ended' | 'broke'
> & {
  /** What has a place: the migration itself, or what leads it to where its guest is to live. */
  placed(migration: IncomingMigration, options: IncomingOptions): Migration;
};

/** What its migrations are taken by; their memory is counted in its room. */
export interface HereOptions extends IncomingOptions {
  readonly room: Pick<HostRoom, 'now' | 'promise' | 'arrived' | 'release'>;
}

/** A destination of this host. */
export function destinationHere<Result extends PlacedResult, Migration extends PlacedMigration<Result>>(
  options: HereOptions,
  node: NodeOptions<Result, Migration>,
  hands: IncomingHands<GuestMachine>,
): Destination<Result, Migration> {
  return new Destination({
    ...node,
    ended: (result, migration) => {
      if (result.kind !== 'refused') options.room.arrived(migration.id);
      node.ended(result, migration);
    },
    freed: (id) => {
      options.room.release(id);
    },
    begin: (id, ticket) => node.placed(new IncomingMigration(id, ticket, options, hands), options),
    answers: new AnswerBook(),
    admit,
    logger: options.logger,
  });
}

/** The door through which callers come to `destination`; closed as yet. */
export function doorOf(
  destination: { hear(caller: Greeted): Promise<void> },
  logger: IncomingOptions['logger'],
): Door {
  const dropped = new DroppedCallers(
    (from, text) => {
      logger.warn({ from }, text);
    },
    () => monotonicUs() / 1000,
  );
  return new Door({
    called: (caller) => destination.hear(greetedBy(caller)),
    dropped: ({ message }, from) => {
      dropped.note(from, message);
    },
  });
}

function greetedBy(caller: Caller): Greeted {
  return {
    hello: caller.hello,
    get isGone() {
      return caller.isGone;
    },
    welcome: () => unclaimed(caller.welcome()),
    refuse: (code, reason) => {
      caller.refuse(code, reason);
    },
    welcomeAndRefuse: (code, reason) => {
      caller.welcomeAndRefuse(code, reason);
    },
    welcomeAndTell: (messages) => {
      caller.welcomeAndTell(messages);
    },
  };
}
