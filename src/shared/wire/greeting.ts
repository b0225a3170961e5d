// The words of the first exchange on a connection that somebody dialled to us: HELLO, then WELCOME or REFUSAL.
// Knows one socket; who may come in is door.ts and its owners.
import type { Socket } from 'node:net';
import { MicrostunError, ProtocolError, asMicrostunError } from '../errors.js';
import { FrameReader, PROTOCOL_VERSION } from './frames.js';
import {
  hostName,
  clipReason,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageOf,
  type RefusalCode,
} from './messages.js';
import { versionComplaint } from './refusal.js';
import { endSocket } from './sockets.js';

/** A caller that says nothing for this long is dropped. */
export const GREETING_MS_MAX = 10_000;

/** Which process this is; a restarted one has another. */
export const instanceId = crypto.randomUUID();

/**
 * Reads the HELLO of a fresh connection. Refuses another protocol version itself, saying which was offered.
 * @throws MicrostunError when there is no proper HELLO; the socket is closed then.
 */
export async function readHello(socket: Socket): Promise<MessageOf<'HELLO'>> {
  try {
    const hello = await firstMessage(socket);
    if (hello.name !== 'HELLO') throw new ProtocolError(`the first message is ${hello.name}, not HELLO`);
    if (hello.version !== PROTOCOL_VERSION) {
      const reason = versionComplaint(hello.version);
      refuse(socket, 'VERSION_MISMATCH', reason);
      throw new MicrostunError('VERSION_MISMATCH', reason);
    }
    return hello;
  } catch (error) {
    if (!socket.writableEnded) socket.destroy();
    throw asMicrostunError(error, 'PROTOCOL');
  }
}

/** Accepts a greeted connection. Answers the bytes that were sent. */
export function welcome(socket: Socket): number {
  return sendParts(socket, {
    name: 'WELCOME',
    version: PROTOCOL_VERSION,
    instanceId,
    pid: process.pid,
    host: hostName(),
  });
}

/** Declines a connection and closes it once the peer can have read why. */
export function refuse(socket: Socket, code: RefusalCode, reason: string): void {
  sendParts(socket, { name: 'REFUSAL', version: PROTOCOL_VERSION, code, reason: clipReason(reason) });
  endSocket(socket);
}

function sendParts(socket: Socket, message: Message): number {
  const parts = encodeMessage(message);
  socket.cork();
  for (const part of parts) socket.write(part);
  socket.uncork();
  return parts.reduce((total, part) => total + part.byteLength, 0);
}

// Reads up to the end of one frame and leaves the socket paused; the peer sends nothing more until it is answered.
function firstMessage(socket: Socket): Promise<Message> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(['HELLO']);
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      socket.pause();
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.off('error', onError);
      outcome();
    };
    const timer = setTimeout(() => {
      settle(() => {
        reject(new ProtocolError('the peer connected and did not greet'));
      });
    }, GREETING_MS_MAX);
    const onError = (error: Error): void => {
      settle(() => {
        reject(asMicrostunError(error, 'CONNECTION_LOST'));
      });
    };
    const onClose = (): void => {
      onError(new MicrostunError('CONNECTION_LOST', 'the peer closed the connection before it greeted'));
    };
    const onData = (chunk: Buffer): void => {
      try {
        const [frame, more] = reader.consume(chunk);
        if (frame === undefined) return;
        if (more !== undefined || reader.pendingBytes > 0)
          throw new ProtocolError('the peer did not wait for an answer to HELLO');
        const message = decodeMessage(frame);
        settle(() => {
          resolve(message);
        });
      } catch (error) {
        onError(asMicrostunError(error, 'PROTOCOL'));
      }
    };
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.on('error', onError);
  });
}
