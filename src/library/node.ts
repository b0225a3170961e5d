// A node: a destination in a process of its own, which takes guests.
// Knows what the process tells of them; which flags it takes is the command line's.
import type { GuestNotice, ListeningNotice } from '../cli/destination-run.js';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { formatAddress } from '../shared/wire/sockets.js';
import { CommandProcess } from './command-process.js';
import { EventStream } from './event-stream.js';
import { flagsOf } from './flags.js';
import type { NodeOptions } from './options.js';

/** What happens at a node. */
export type NodeEvent =
  | {
      /** A guest is whole and runs here. */
      readonly kind: 'arrived';
      /** The migration that brought it. */
      readonly migrationId: string;
      /** What it was started with. */
      readonly guest: GuestSpec;
    }
  | {
      /** A guest has ended here, was sent on, or never came: its `outcome` says which. */
      readonly kind: 'ended';
      /** The migration that brought it, or was to. */
      readonly migrationId: string;
      /** `ran`: until it was ended; `left`: sent on; `refused`: it never came; else it could not go on. */
      readonly outcome: 'ran' | 'left' | 'refused' | 'pages-lost' | 'failed';
      /** Why it never came, or could not go on. */
      readonly error: MicrostunError | null;
    };

/** A destination in a process of its own. Iterating over it gives its events, from the first, until it has ended. */
export interface Node extends AsyncIterable<NodeEvent> {
  /** Where sources dial: what `migrate({ to })` takes. */
  readonly address: string;
  /**
   * Ends the node and the guests that are there. A guest that was handed over and lacks pages is waited for. Resolves when
   * its process is gone; may be called again.
   */
  close(): Promise<void>;
}

/**
 * Starts a node; resolves when it listens. It lives until it is closed or `signal` is aborted, and not longer than this
 * process; with one place (`maxGuests`) not longer than its guest.
 * @throws MicrostunError when it cannot listen (LISTEN_FAILED), an option makes no sense (USAGE), or `signal` was aborted.
 */
export async function startNode(options: NodeOptions = {}): Promise<Node> {
  const events = new EventStream<NodeEvent>();
  let hear: (address: string) => void = () => undefined;
  const listening = new Promise<string>((resolve) => {
    hear = resolve;
  });
  const flags = flagsOf({ ...options, listen: options.listen ?? '127.0.0.1:0' });
  const child = new CommandProcess(
    ['destination', '--json', ...flags],
    options,
    (message) => {
      const notice = message as GuestNotice | ListeningNotice;
      if ('listening' in notice) hear(formatAddress(notice.listening));
      else events.push(eventOf(notice));
    },
    () => {
      child.leave();
    },
  );
  let isClosed = false;
  const { signal } = options;
  const gone = child.ended.then((failure) => {
    const wasWanted = isClosed || signal?.aborted === true;
    events.end(wasWanted ? undefined : failure);
    return failure;
  });
  const early = gone.then((failure) => {
    signal?.throwIfAborted();
    throw failure ?? new MicrostunError('WORKER_FAILED', 'the node ended before it listened');
  });
  const address = await Promise.race([listening, early]);
  return {
    address,
    close: async () => {
      isClosed = true;
      child.leave();
      await gone;
    },
    [Symbol.asyncIterator]: () => events[Symbol.asyncIterator](),
  };
}

function eventOf(notice: GuestNotice): NodeEvent {
  if ('arrived' in notice) return { kind: 'arrived', ...notice.arrived };
  const { migrationId, outcome, error } = notice.ended;
  return {
    kind: 'ended',
    migrationId,
    outcome,
    error: error === null ? null : new MicrostunError(error.code, error.message),
  };
}
