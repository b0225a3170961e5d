// How far a command's connections go: whom it may dial, and where it listens when nobody says so.
// Knows keys only by whether there are some; what they are is security.ts's.
import { isLoopback, isThisHostOnly, type Security } from '../shared/wire/security.js';
import { ANY_HOST, clearTextTrespass, type Address } from '../shared/wire/sockets.js';

/**
 * Says early what would be said late, when a guest has been booted for nothing.
 * @throws MicrostunError USAGE: without keys it would dial, or listen for, another host.
 */
export function refuseClearText(
  security: Security,
  dialled: Address | undefined,
  listen: Address | undefined,
): void {
  if (!isThisHostOnly(security)) return;
  const trespass =
    (dialled && clearTextTrespass('dialling', dialled)) ??
    (listen && clearTextTrespass('listening on', listen));
  if (trespass !== undefined) throw trespass;
}

/** Where a command listens unless it is told: everywhere, or without keys where only the host of `peer` comes from. */
export function hostToListenOn(security: Security, peer = '127.0.0.1'): string {
  if (!isThisHostOnly(security)) return ANY_HOST;
  return peer.includes(':') && isLoopback(peer) ? '::1' : '127.0.0.1';
}
