// How an incoming migration ends, and what its source is told of it: at once, and again when it comes back.
// Does not know what made it end.
import { MicrostunError, unreachable, type ErrorCode } from '../../shared/errors.js';
import { PROTOCOL_VERSION } from '../../shared/wire/frames.js';
import {
  cancelOf,
  clipReason,
  type Message,
  type MessageOf,
  type RefusalCode,
} from '../../shared/wire/messages.js';
import { same, type IncomingEffect, type IncomingStep } from './events.js';
import { isHandedOver, mayRefuse, type IncomingState, type Outcome } from './states.js';

/** Final: this migration never resumes here. Nothing once its guest may have run. */
export function refuse(state: IncomingState, code: RefusalCode, why: string | MicrostunError): IncomingStep {
  if (!mayRefuse(state)) return same(state);
  const [reason, cause] = typeof why === 'string' ? [why] : [why.message, why];
  const answer: MessageOf<'REFUSAL'> = {
    name: 'REFUSAL',
    version: PROTOCOL_VERSION,
    code,
    reason: clipReason(reason),
  };
  const outcome: Outcome = {
    kind: 'refused',
    error: new MicrostunError(errorCodeOf(code), reason, { cause }),
    answer,
  };
  return {
    state: { name: 'ended', outcome, answers: [] },
    effects: [{ kind: 'send', message: answer }, { kind: 'hang-up' }, { kind: 'end', outcome }],
  };
}

function errorCodeOf(code: RefusalCode): ErrorCode {
  switch (code) {
    case 'BUSY':
    case 'UNKNOWN_MIGRATION':
    case 'GUEST_REFUSED':
      return 'REFUSED';
    default:
      return code;
  }
}

/** The guest is here and cannot go on; a source that is connected hears it. */
export function failRunning(state: IncomingState, error: MicrostunError): IncomingStep {
  return isHandedOver(state) ? end(state, { kind: 'failed', error }) : same(state);
}

export function end(state: IncomingState, outcome: Outcome): IncomingStep {
  const ended = { name: 'ended', outcome, answers: 'answers' in state ? state.answers : [] } as const;
  return { state: ended, effects: [...goodbye(ended), { kind: 'hang-up' }, { kind: 'end', outcome }] };
}

// The answers themselves were said when they were new.
function goodbye({ outcome }: Extract<IncomingState, { name: 'ended' }>): IncomingEffect[] {
  return lastWords({ name: 'ended', outcome, answers: [] }).filter(({ kind }) => kind === 'send');
}

export function sayAgain(answers: readonly Message[]): IncomingEffect[] {
  return answers.map((message) => ({ kind: 'send', message }));
}

/** What a source that comes back after the end is told. CANCEL is no refusal: it never gives the guest back. */
export function lastWords({ outcome, answers }: Extract<IncomingState, { name: 'ended' }>): IncomingEffect[] {
  const again = sayAgain(answers);
  switch (outcome.kind) {
    case 'running':
      return again;
    case 'refused':
      return [{ kind: 'send', message: outcome.answer }, { kind: 'hang-up' }];
    case 'pages-lost':
      return [
        ...again,
        cancelled(new MicrostunError('PAGES_LOST', 'pages were lost with the source; the guest is parked')),
        { kind: 'hang-up' },
      ];
    case 'failed':
      return [
        ...again,
        cancelled(new MicrostunError(outcome.error.code, `the guest cannot go on: ${outcome.error.message}`)),
        { kind: 'hang-up' },
      ];
    default:
      return unreachable(outcome);
  }
}

/** What a source that comes back after the end of its migration is told; nothing before the end. */
export function lastMessages(state: IncomingState): Message[] {
  return state.name === 'ended'
    ? lastWords(state).flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
    : [];
}

function cancelled(error: MicrostunError): IncomingEffect {
  return { kind: 'send', message: cancelOf(error) };
}

/** As what a failure before the take-over refuses the guest. */
export function refusalCodeOf({ code }: MicrostunError): RefusalCode {
  if (code === 'REFUSED') return 'GUEST_REFUSED';
  return code === 'INSUFFICIENT_MEMORY' || code === 'PROTOCOL' || code === 'GUEST_ENDED'
    ? code
    : 'GUEST_FAILED';
}
