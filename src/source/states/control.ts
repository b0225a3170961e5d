// The control connection's own small state machine: dials, greets, and dials again when it is lost.
// Part of the migration's; no I/O. What is said once it is up is welcome.ts's business.
import type { MicrostunError } from '../../shared/errors.js';

export interface ControlLimits {
  /** How long a first connection may take: the destination may not be up yet. */
  readonly connectMs: number;
  /** How long a lost connection may stay lost. */
  readonly reconnectMs: number;
  /** First pause between attempts; doubles up to `retryMsMax`. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

export type Control =
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

export type ControlEvent =
  | { readonly kind: 'dialled' }
  | { readonly kind: 'dial-failed'; readonly error: MicrostunError }
  | { readonly kind: 'control-lost'; readonly error: MicrostunError };

export type ControlEffect =
  | { readonly kind: 'dial' }
  /** `welcomedBy`: the instance that welcomed this migration before, empty when none did. */
  | { readonly kind: 'greet'; readonly welcomedBy: string }
  | { readonly kind: 'arm'; readonly timer: 'control-retry' | 'control-limit'; readonly ms: number };

export interface ControlStep {
  readonly control: Control;
  readonly effects: readonly ControlEffect[];
}

export function stepControl(
  limits: ControlLimits,
  control: Control,
  event: ControlEvent | { readonly kind: 'retry' },
): ControlStep {
  switch (event.kind) {
    case 'dialled':
      if (control.name !== 'dialling') return { control, effects: [] };
      return {
        control: { ...control, name: 'greeting' },
        effects: [{ kind: 'greet', welcomedBy: control.instanceId ?? '' }],
      };
    case 'dial-failed':
    case 'control-lost':
      return lostControl(limits, control, event.error);
    case 'retry': {
      if (control.name !== 'waiting') return { control, effects: [] };
      const { instanceId, attempts } = control;
      return {
        control: {
          name: 'dialling',
          attempts: attempts + 1,
          ...(instanceId !== undefined && { instanceId }),
        },
        effects: [{ kind: 'dial' }],
      };
    }
  }
}

/** The connection is given up, and made again after `pauseMs` and not before. */
export function pausedControl({ instanceId }: Control, error: MicrostunError, pauseMs: number): ControlStep {
  return {
    control: { name: 'waiting', attempts: 0, error, ...(instanceId !== undefined && { instanceId }) },
    effects: [{ kind: 'arm', timer: 'control-retry', ms: pauseMs }],
  };
}

/** It is lost, or could not be made: waits and tries again; a connection that was up gets a limit of its own. */
export function lostControl(limits: ControlLimits, control: Control, error: MicrostunError): ControlStep {
  if (control.name === 'waiting') return { control, effects: [] };
  const wasUp = control.name === 'up';
  const attempts = wasUp ? 0 : control.attempts;
  const { instanceId } = control;
  const pauseMs = Math.min(limits.retryMsMax, limits.retryMs * 2 ** Math.min(attempts, 20));
  return {
    control: { name: 'waiting', attempts, error, ...(instanceId !== undefined && { instanceId }) },
    effects: [
      ...(wasUp ? [{ kind: 'arm', timer: 'control-limit', ms: limits.reconnectMs } as const] : []),
      { kind: 'arm', timer: 'control-retry', ms: pauseMs },
    ],
  };
}
