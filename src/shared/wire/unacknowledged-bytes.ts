// How many bytes of a TCP connection the peer's host has not acknowledged, where the kernel says so (Linux).
// Node has no call for it; the table of connections has it, for every process.
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Of IPv4 and IPv6; an IPv4 connection of a socket that listens on both is in the second. */
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];

/** Undefined where there is no such table, or the connection is not in it. */
export function unacknowledgedBytes({
  localPort,
  remotePort,
}: Pick<Socket, 'localPort' | 'remotePort'>): number | undefined {
  if (localPort === undefined || remotePort === undefined) return undefined;
  let bytes: number | undefined;
  for (const table of TABLES) {
    const found = unacknowledgedIn(readTable(table), localPort, remotePort);
    if (found !== undefined) bytes = (bytes ?? 0) + found;
  }
  return bytes;
}

/**
 * The same in the text of a table. Ports tell the connection: should two have the same at different addresses, the sum
 * of both moves when either does.
 */
export function unacknowledgedIn(table: string, localPort: number, remotePort: number): number | undefined {
  const ends = new RegExp(
    `^ *\\d+: [0-9A-F]+:${hexOf(localPort)} [0-9A-F]+:${hexOf(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`,
    'gm',
  );
  let bytes: number | undefined;
  for (const [, queued] of table.matchAll(ends)) bytes = (bytes ?? 0) + Number.parseInt(queued!, 16);
  return bytes;
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Another system, or one that hides it.
    return '';
  }
}

function hexOf(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
