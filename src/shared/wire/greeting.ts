// The first exchange on a connection, both halves of it: HELLO from whoever dialled, then WELCOME or REFUSAL.
// Knows connections; who may come in is door.ts and its owners, when to dial again dialler.ts.
import { MicrostunError, ProtocolError } from '../errors.js';
import { after } from '../timers.js';
import type { Connection, ConnectionNames, ConnectionOwner } from './connection.js';
import { FirstFrame } from './first-frame.js';
import { FRAME_HEADER_BYTES, PROTOCOL_VERSION } from './frames.js';
import type { ChunkReads } from './intake.js';
import {
  hostName,
  clipReason,
  decodeMessage,
  encodeMessage,
  type MessageOf,
  type RefusalCode,
} from './messages.js';
import { refusalError, versionComplaint } from './refusal.js';
import { HANDSHAKE_RECORD } from './secure-socket.js';
import { GREETING_MS_MAX } from '../limits.js';

/** Which process this is; a restarted one has another. */
export const instanceId = crypto.randomUUID();

/** How much of which round arrived: what whoever takes pages says when a page connection is greeted, by either side. */
export type ArrivedSoFar = Pick<MessageOf<'HELLO'>, 'round' | 'regions'>;

/** Of whoever takes none. */
export const NOTHING_ARRIVED: ArrivedSoFar = { round: 0, regions: 0 };

/** What a caller says of itself: what its role has nothing to say about is left out. */
export type Introduction = Pick<MessageOf<'HELLO'>, 'role' | 'migrationId' | 'ticket'> &
  Partial<Pick<MessageOf<'HELLO'>, 'welcomedBy' | 'index' | 'round' | 'regions'>>;

/** The message that introduces a caller. */
export function helloOf({
  role,
  migrationId,
  ticket,
  welcomedBy = '',
  index = 0,
  round = NOTHING_ARRIVED.round,
  regions = NOTHING_ARRIVED.regions,
}: Introduction): MessageOf<'HELLO'> {
  return {
    name: 'HELLO',
    version: PROTOCOL_VERSION,
    role,
    migrationId,
    ticket,
    welcomedBy,
    index,
    round,
    regions,
  };
}

/** A caller as sentences call it before it is welcome. */
const CALLER: ConnectionNames = { own: 'the connection', peer: 'the peer' };

/**
 * Reads the HELLO of a fresh connection. Refuses another protocol version itself, saying which was offered.
 * @throws MicrostunError when there is no proper HELLO; the connection is closed then.
 */
export async function readHello(connection: Connection): Promise<MessageOf<'HELLO'>> {
  const hello = await firstMessage(connection);
  if (hello.version !== PROTOCOL_VERSION) {
    const reason = versionComplaint(hello.version);
    refuse(connection, 'VERSION_MISMATCH', reason);
    throw new MicrostunError('VERSION_MISMATCH', reason);
  }
  connection.greetingBytes = connection.receivedBytes;
  return hello;
}

/** Accepts a greeted connection. */
export function welcome(connection: Connection, { round, regions }: ArrivedSoFar = NOTHING_ARRIVED): void {
  connection.greetingBytes += connection.write(
    encodeMessage({
      name: 'WELCOME',
      version: PROTOCOL_VERSION,
      instanceId,
      pid: process.pid,
      host: hostName(),
      round,
      regions,
    }),
  );
}

/** Declines a connection and closes it once the peer can have read why. */
export function refuse(connection: Connection, code: RefusalCode, reason: string): void {
  connection.write(
    encodeMessage({ name: 'REFUSAL', version: PROTOCOL_VERSION, code, reason: clipReason(reason) }),
  );
  connection.end();
}

// Reads up to the end of one frame and leaves the connection paused; the peer sends nothing more until it is answered.
function firstMessage(connection: Connection): Promise<MessageOf<'HELLO'>> {
  return new Promise((resolve, reject) => {
    const timer = after(GREETING_MS_MAX, () => {
      connection.giveUp(new ProtocolError('the peer connected and did not greet'));
    });
    // What comes is copied into the one buffer of its frame: however small its pieces are, they cost no more.
    const first = new FirstFrame(['HELLO'], (frame) => {
      const hello = decodeMessage(frame);
      if (hello.name !== 'HELLO') throw new ProtocolError(`the first message is ${hello.name}, not HELLO`);
      timer.cancel();
      connection.own({ ...owner, reads: nothingMore });
      connection.pause();
      // Not before the rest of what came with it was looked at.
      queueMicrotask(() => {
        resolve(hello);
      });
    });
    let hasBegun = false;
    const owner: ConnectionOwner = {
      names: CALLER,
      reads: {
        get target() {
          return first.target;
        },
        advance: (byteCount) => {
          if (!hasBegun && first.target[0] === HANDSHAKE_RECORD) {
            timer.cancel();
            reject(refuseTls(connection, owner));
            return;
          }
          hasBegun = true;
          first.advance(byteCount);
        },
      },
      lost: (error) => {
        timer.cancel();
        reject(error);
      },
      closed: () => {
        timer.cancel();
        reject(new MicrostunError('CONNECTION_LOST', 'the peer closed the connection before it greeted'));
      },
    };
    connection.own(owner);
  });
}

const nothingMore: ChunkReads = {
  take: () => {
    throw new ProtocolError('the peer did not wait for an answer to HELLO');
  },
};

// Whoever begins a handshake where nobody has a key is to hear that: one that is only hung up on dials again. That the answer
// is no TLS is all that it understands of it. The rest of what it says is not looked at.
function refuseTls(connection: Connection, owner: ConnectionOwner): MicrostunError {
  connection.own({ ...owner, reads: { take: () => undefined } });
  refuse(connection, 'UNAUTHORIZED', 'no TLS is spoken here; give both sides the same key, or certificates');
  return new MicrostunError('UNAUTHORIZED', 'the peer speaks TLS, and has a key or certificates');
}

/**
 * Says HELLO on a connection that was dialled. Once it is welcomed it has the owner that `welcomed` answers, who reads
 * what follows the WELCOME. `lost`: it was not welcomed, or not within `greetingMs`; the connection is closed then.
 */
export function greet(
  connection: Connection,
  introduction: Introduction,
  names: ConnectionNames,
  greetingMs: number,
  welcomed: (welcome: MessageOf<'WELCOME'>) => ConnectionOwner,
  lost: (error: MicrostunError) => void,
): void {
  const timer = after(greetingMs, () => {
    const why = `${names.peer} did not welcome ${names.own} within ${greetingMs} ms`;
    connection.giveUp(new MicrostunError('CONNECTION_LOST', why));
  });
  let helloBytes = 0;
  const answer = new FirstFrame(['WELCOME', 'REFUSAL'], (frame) => {
    const message = decodeMessage(frame);
    if (message.name === 'REFUSAL') throw refusalError(message);
    if (message.name !== 'WELCOME') throw new ProtocolError(`${message.name} is no answer to HELLO`);
    timer.cancel();
    // What came behind it is none of the greeting.
    connection.greetingBytes = helloBytes + FRAME_HEADER_BYTES + frame.body.length;
    connection.own(welcomed(message));
  });
  connection.onClosed(() => {
    timer.cancel();
  });
  connection.own({ names, reads: answer, lost });
  helloBytes = connection.write(encodeMessage(helloOf(introduction)));
}
