// The control link's own small state machine: dials, greets, and dials again when it is lost.
// Part of the migration's; no I/O. What is said once it is up is step.ts's business.
import type { MicrostunError } from '../../shared/errors.js';

export interface LinkLimits {
  /** How long a first connection may take: the destination may not be up yet. */
  readonly connectMs: number;
  /** How long a lost connection may stay lost. */
  readonly reconnectMs: number;
  /** First pause between attempts; doubles up to `retryMsMax`. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

export type Link =
  | { readonly name: 'dialling'; readonly attempts: number; readonly instanceId?: string }
  /** Connected; HELLO is sent. */
  | { readonly name: 'greeting'; readonly attempts: number; readonly instanceId?: string }
  | { readonly name: 'up'; readonly instanceId: string }
  /** Until the next attempt. */
  | {
      readonly name: 'waiting';
      readonly attempts: number;
      readonly instanceId?: string;
      readonly error: MicrostunError;
    };

export type LinkEvent =
  | { readonly kind: 'dialled' }
  | { readonly kind: 'dial-failed'; readonly error: MicrostunError }
  | { readonly kind: 'link-lost'; readonly error: MicrostunError };

export type LinkEffect =
  | { readonly kind: 'dial' }
  /** `welcomedBy`: the instance that welcomed this migration before, empty when none did. */
  | { readonly kind: 'greet'; readonly welcomedBy: string }
  | { readonly kind: 'arm'; readonly timer: 'link-retry' | 'link-limit'; readonly ms: number };

export interface LinkStep {
  readonly link: Link;
  readonly effects: readonly LinkEffect[];
}

export function stepLink(
  limits: LinkLimits,
  link: Link,
  event: LinkEvent | { readonly kind: 'retry' },
): LinkStep {
  switch (event.kind) {
    case 'dialled':
      if (link.name !== 'dialling') return { link, effects: [] };
      return {
        link: { ...link, name: 'greeting' },
        effects: [{ kind: 'greet', welcomedBy: link.instanceId ?? '' }],
      };
    case 'dial-failed':
    case 'link-lost':
      return lostLink(limits, link, event.error);
    case 'retry': {
      if (link.name !== 'waiting') return { link, effects: [] };
      const { instanceId, attempts } = link;
      return {
        link: { name: 'dialling', attempts: attempts + 1, ...(instanceId !== undefined && { instanceId }) },
        effects: [{ kind: 'dial' }],
      };
    }
  }
}

/** The link is given up, and made again after `pauseMs` and not before. */
export function pausedLink({ instanceId }: Link, error: MicrostunError, pauseMs: number): LinkStep {
  return {
    link: { name: 'waiting', attempts: 0, error, ...(instanceId !== undefined && { instanceId }) },
    effects: [{ kind: 'arm', timer: 'link-retry', ms: pauseMs }],
  };
}

/** The link is lost, or could not be made: waits and tries again; a link that was up gets a limit of its own. */
export function lostLink(limits: LinkLimits, link: Link, error: MicrostunError): LinkStep {
  if (link.name === 'waiting') return { link, effects: [] };
  const wasUp = link.name === 'up';
  const attempts = wasUp ? 0 : link.attempts;
  const { instanceId } = link;
  const pauseMs = Math.min(limits.retryMsMax, limits.retryMs * 2 ** Math.min(attempts, 20));
  return {
    link: { name: 'waiting', attempts, error, ...(instanceId !== undefined && { instanceId }) },
    effects: [
      ...(wasUp ? [{ kind: 'arm', timer: 'link-limit', ms: limits.reconnectMs } as const] : []),
      { kind: 'arm', timer: 'link-retry', ms: pauseMs },
    ],
  };
}
