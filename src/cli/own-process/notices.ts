// What a node and the process of one of its guests tell each other, by IPC: structured clones, both ways in order.
// Types, and errors as they cross; what is done with them is guest-elsewhere.ts's and guest-for-node.ts's.
import type { FailureReport, MigrationReport } from '../../report/document.js';
import { MicrostunError, type ErrorCode } from '../../shared/errors.js';
import type { Received } from '../../shared/wire/control.js';
import type { Message } from '../../shared/wire/messages.js';
import type { IncomingState } from '../../destination/states/states.js';
import type { IncomingResult } from '../../destination/result.js';
import type { GuestEnd } from '../hosted-guest.js';

/** An error as it crosses: a clone of one is a bare Error. */
export interface ToldError {
  readonly code: ErrorCode;
  readonly message: string;
}

export function told({ code, message }: MicrostunError): ToldError {
  return { code, message };
}

export function heard({ code, message }: ToldError): MicrostunError {
  return new MicrostunError(code, message);
}

/** What the node asks about a migration at any moment, as its guest's process last told it. */
export interface MigrationMirror {
  readonly phase: IncomingState['name'];
  readonly isHandedOver: boolean;
  readonly isSourceMissed: boolean;
  /** Whether the guest did not come, for all that is known there. */
  readonly isRefusable: boolean;
  /** Whether the guest may be taken over at any moment, before anybody is told. */
  readonly isAtGate: boolean;
  readonly lastMessages: readonly Message[];
}

/** How a guest ended, as it crosses. */
export type ToldEnd = Omit<GuestEnd, 'error'> & { readonly error: ToldError | undefined };

/** The node's; `connection` counts the control connections of the migration. */
export type NodeNotice =
  | { readonly kind: 'begin'; readonly migrationId: string; readonly ticket: string; readonly module: string }
  | {
      readonly kind: 'attach';
      readonly connection: number;
      readonly peerHost: string;
      readonly localHost: string;
      readonly peerCertificate: string | undefined;
    }
  | ({ readonly kind: 'received'; readonly connection: number } & Received)
  /** Bytes that wait for the source to read, after so many messages were sent. */
  | { readonly kind: 'queued'; readonly connection: number; readonly sent: number; readonly bytes: number }
  | { readonly kind: 'closed'; readonly connection: number; readonly error: ToldError | undefined }
  | { readonly kind: 'make-way' }
  | { readonly kind: 'cancel'; readonly reason: string }
  /** The migration is over, and its guest is to live; `mayForward`: one of the forwardings is its. */
  | { readonly kind: 'live'; readonly mayForward: boolean }
  | { readonly kind: 'end'; readonly reason: ToldError }
  | { readonly kind: 'cancel-forwarding'; readonly reason: string };

/** The guest's process's. */
export type GuestNotice =
  | { readonly kind: 'mirror'; readonly mirror: MigrationMirror }
  | { readonly kind: 'send'; readonly connection: number; readonly message: Message }
  | { readonly kind: 'expect-life'; readonly connection: number; readonly ms: number }
  | { readonly kind: 'hang-up'; readonly connection: number; readonly isAbrupt: boolean }
  /** So many more messages of that connection were taken in. */
  | { readonly kind: 'handled'; readonly connection: number; readonly messages: number }
  | {
      readonly kind: 'migrated';
      readonly result: IncomingResult['kind'];
      readonly error: ToldError | undefined;
    }
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'forwarding'; readonly isUnderWay: boolean }
  | { readonly kind: 'hop-returned' }
  | {
      readonly kind: 'forwarded';
      readonly document: MigrationReport | FailureReport;
      readonly status: number;
    }
  | { readonly kind: 'over'; readonly end: ToldEnd };
