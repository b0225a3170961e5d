// One end of a page or fault connection over as many sockets as that takes: awaited at a door of its own, or dialled. Whoever
// has it cannot tell which, and needs not. Knows no frames beyond the greeting; what the connection carries is its owner's.
import { MicrostunError } from '../errors.js';
import { ANSWERS_QUEUED, PAGES_DIAL_MS_MAX, WELCOME_MS_MAX } from '../limits.js';
import { AwaitedEnd } from './awaited-end.js';
import type { Connection, ConnectionNames, ConnectionOwner } from './connection.js';
import { Dialler } from './dialler.js';
import type { ArrivedSoFar } from './greeting.js';
import type { MessageOf } from './messages.js';
import type { Pass } from './pass.js';
import type { Address } from './sockets.js';

/** Who makes the page and fault connections; the other side awaits them. */
export type Dials = MessageOf<'PREPARE'>['dials'];

export type EndKind = 'awaited' | 'dialled';

export interface EndOptions {
  readonly names: ConnectionNames;
  /** Which connection of which migration it is: one that says otherwise, or cannot prove it, is refused. */
  readonly role: 'pages' | 'faults';
  readonly pass: Pass;
  readonly index: number;
  /** One that is dialled is read in place: the kernel writes what it reads where the reader says. */
  readonly isReadInPlace: boolean;
  /** The flag that names where it is awaited. */
  readonly listenFlag: string;
  /** How much has come so far; asked before the peer is told, when nothing of the connection before is read any more. */
  arrived(): ArrivedSoFar;
  /** A connection is up, the first or the next, and the one before is over: answers what reads what follows. */
  up(connection: Connection, peer: ArrivedSoFar): ConnectionOwner['reads'];
  /** The connection is lost, or could not be made. Told once a connection; nothing more comes of it. */
  lost(error: MicrostunError): void;
}

export interface ConnectionEnd {
  /** The connection in use, if one is up and greeted. */
  readonly connection: Connection | undefined;
  /**
   * Begins: listens at `at`, or dials it. Answers where it really listens.
   * @throws MicrostunError LISTEN_FAILED. A dial that fails is lost, and no error of this.
   */
  open(at: Address): Promise<Address>;
  /** Gives up what is up, or being dialled, which is no loss; and dials, or leaves that to the peer. */
  renew(): void;
  /** What is up, or being dialled, is lost by `error`. */
  giveUp(error: MicrostunError): void;
  /** Nothing comes up any more; what is up is closed at once. */
  close(): void;
  /** Nothing comes up any more; what is up ends in order. */
  leave(): void;
}

/** Answers what the peer said, if it is connected still. A peer that says more and more and takes no answer is lost. */
export function answerOn(end: Pick<ConnectionEnd, 'connection' | 'giveUp'>, frame: Uint8Array): void {
  const { connection } = end;
  if (connection === undefined) return;
  connection.write([frame]);
  if (connection.queuedBytes > ANSWERS_QUEUED.highBytes)
    end.giveUp(new MicrostunError('CONNECTION_LOST', 'the peer asks more and more, and takes no answer'));
}

export function connectionEnd(kind: EndKind, options: EndOptions): ConnectionEnd {
  if (kind === 'awaited') return new AwaitedEnd(options);
  const { names, role, pass, index, isReadInPlace } = options;
  return new Dialler({
    names,
    dialMs: PAGES_DIAL_MS_MAX,
    greetingMs: WELCOME_MS_MAX,
    isReadInPlace,
    pass,
    introduction: () => ({ role, index, ...options.arrived() }),
    welcomed: (connection, peer) => options.up(connection, peer),
    lost: (error) => {
      options.lost(error);
    },
  });
}
