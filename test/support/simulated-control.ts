// A control connection of a simulation as the real drivers take it: an end of a fake wire.
// Knows the network, and nothing of what is said.
import { MicrostunError } from '../../src/shared/errors.js';
import type { ControlConnection, ControlEvents, UnclaimedConnection } from '../../src/shared/wire/control.js';
import type { End } from './simulated-network.js';

/** A peer that says nothing for so long is taken for dead: one that was gone before it was attached, say. */
const SILENCE_MS_MAX = 300;

/** An end that nobody owns yet. */
export function unclaimedEnd(end: End): UnclaimedConnection {
  return {
    peerHost: end.peer.process.name,
    localHost: end.process.name,
    peerCertificate: undefined,
    claim: (events) => controlOf(end, events),
    drop: () => {
      end.close();
    },
  };
}

function controlOf(end: End, events: ControlEvents): ControlConnection {
  const { process } = end;
  let isClosed = false;
  const close = (error: MicrostunError | undefined): void => {
    if (isClosed) return;
    isClosed = true;
    events.closed(error);
    end.close();
  };
  const lose = (): void => {
    close(new MicrostunError('CONNECTION_LOST', 'the connection was lost'));
  };
  end.received = (message) => {
    if (!isClosed) events.received({ message, receivedAt: process.world.clock.now * 1000 });
  };
  end.closed = lose;
  if (!end.isOpen) process.after(SILENCE_MS_MAX, lose);
  return {
    send: (message) => {
      if (!isClosed && process.isAlive) end.send(message);
      return { bytes: 0, sentAt: process.world.clock.now * 1000 };
    },
    expectLife: () => undefined,
    end: () => {
      close(undefined);
    },
    destroy: () => {
      close(undefined);
    },
    get isDestroyed() {
      return isClosed;
    },
    queuedBytes: 0,
    receivedBytes: 0,
    carriedBytes: 0,
    wireBytes: 0,
  };
}
