// How connections are protected, as data that a worker can be given: by nothing, a shared key, or certificates.
// Knows no socket; what is done with it is secure-socket.ts. Holds secrets: it is never logged, printed or reported.
import { isIP } from 'node:net';

/** Whom a certificate must be of. */
export type ExpectedPeer =
  /** One of these names or addresses; with none of them, whoever an authority has signed. */
  | { readonly kind: 'named'; readonly names: readonly string[] }
  /** The very certificate that the control connection of the migration showed: its SHA-256, as Node writes it. */
  | { readonly kind: 'certificate'; readonly fingerprint256: string };

export type Security =
  /** Nothing is hidden, and anybody may be anybody. Beyond this host only where the user said so. */
  | { readonly kind: 'none'; readonly reach: 'this-host' | 'anywhere' }
  /** TLS 1.3 with a key that both sides have, of `KEY_BYTES`. */
  | { readonly kind: 'key'; readonly key: Uint8Array }
  /** TLS 1.3 with a certificate on either side, all in PEM. */
  | {
      readonly kind: 'certificates';
      readonly certificate: string;
      readonly privateKey: string;
      readonly authorities: string;
      readonly peer: ExpectedPeer;
    };

/** 256 bits. */
export const KEY_BYTES = 32;

/** What nobody asked for anything else has: connections within this host, in clear text. */
export const THIS_HOST_ONLY: Security = { kind: 'none', reach: 'this-host' };

/** Whether connections stay within this host, for want of keys. */
export function isThisHostOnly(security: Security): boolean {
  return security.kind === 'none' && security.reach === 'this-host';
}

/** The same, for connections to whoever showed this certificate on the control connection. */
export function pinnedTo(security: Security, fingerprint256: string | undefined): Security {
  if (security.kind !== 'certificates' || fingerprint256 === undefined) return security;
  return { ...security, peer: { kind: 'certificate', fingerprint256 } };
}

/** Whether `host` is an address of this host's own, which no other host can reach; of names only `localhost`. */
export function isLoopback(host: string): boolean {
  const address = unmapped(host);
  if (isIP(address) === 4) return address.startsWith('127.');
  return address === '::1' || address === 'localhost';
}

/** An IPv4 address as it is, also where a socket for both kinds writes it as one of IPv6. */
export function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
