// The destination's end of a fault connection, which says what it is told to: for tests of who hands a guest over.
// Knows frames; what they mean is the test's.
import { proofOf } from '../../src/shared/wire/pass.js';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { FaultLineOptions } from '../../src/source/faults/fault-line.js';
import type { SwitchOver } from '../../src/source/tracer/departure.js';
import type { TracerEvents } from '../../src/source/tracer/tracer-thread.js';
import { helloOf } from '../../src/shared/wire/greeting.js';
import { encodeMessage } from '../../src/shared/wire/messages.js';
import { FramePeer } from './frame-peer.js';

import { PASS } from './passes.js';

export const FAULT_LINE: FaultLineOptions = {
  end: 'awaited',
  at: { host: '127.0.0.1', port: 0 },
  pass: PASS,
  bytesPerSecond: undefined,
};

/** A switch-over that says nothing ahead. */
export const COMPACTED: SwitchOver = {
  round: 1,
  pagesFollow: true,
  pagesMax: Infinity,
  logic: 'compacted',
  everything: false,
  aheadUs: 0,
  aheadMax: 5,
};

/** Events of a tracer that nobody looks at. */
export const IGNORED: TracerEvents = {
  takenOver: () => undefined,
  lost: () => undefined,
  failed: () => undefined,
};

/** Has `side` listen for its fault connection, and dials that. */
export async function faultPeerOf(side: {
  open(options: FaultLineOptions): Promise<number>;
}): Promise<FaultPeer> {
  return FaultPeer.dial(await side.open(FAULT_LINE));
}

export class FaultPeer extends FramePeer {
  /** Resolves once it is welcome. */
  static async dial(port: number, migrationId = PASS.migrationId): Promise<FaultPeer> {
    const socket = connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    const peer = new FaultPeer(socket);
    const binding = new Uint8Array(0);
    const ticket = proofOf(PASS.ticket, { role: 'faults', migrationId, index: 0, binding });
    peer.say(...encodeMessage(helloOf({ role: 'faults', migrationId, ticket })));
    await peer.hears('WELCOME');
    return peer;
  }
}
