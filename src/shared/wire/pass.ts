// What shows that a connection belongs to a migration: a ticket that only its two sides know, and proofs made with it.
// Pure but for randomness; who asks for a proof is greeting.ts and whoever has a door.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Security } from './security.js';

/** Bytes of a ticket, and of a proof (HMAC-SHA-256); on the wire either is twice as many hexadecimal digits. */
export const TICKET_BYTES = 32;

/** What a worker needs to make or to take connections of one migration. */
export interface Pass {
  readonly migrationId: string;
  /** Hexadecimal. */
  readonly ticket: string;
  readonly security: Security;
}

/** A ticket that nobody can guess. */
export function newTicket(): string {
  return randomBytes(TICKET_BYTES).toString('hex');
}

/** What a proof is about: another connection's does not fit. */
export interface Proven {
  readonly role: string;
  readonly migrationId: string;
  readonly index: number;
  /** What both ends of one TLS connection have in common and nobody else (RFC 8446, 7.5); empty without TLS. */
  readonly binding: Uint8Array;
}

/** The proof that whoever opens a connection has the ticket. */
export function proofOf(ticket: string, { role, migrationId, index, binding }: Proven): string {
  return createHmac('sha256', Buffer.from(ticket, 'hex'))
    .update(`microstun ${role} ${migrationId} ${index} `)
    .update(binding)
    .digest('hex');
}

/** Whether two tickets, or proofs, are the same; says nothing by the time that it takes. */
export function isSameSecret(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
