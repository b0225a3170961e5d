// What the source of a guest hears whose process died at the destination.
// Pure; what the node knew of the guest by then is guest-elsewhere.ts's.
import type { MicrostunError } from '../../shared/errors.js';
import { PROTOCOL_VERSION } from '../../shared/wire/frames.js';
import { cancelOf, clipReason, type Message } from '../../shared/wire/messages.js';

/**
 * What a source is told. Where the guest may have been taken over without a word of it, that is no refusal: a source that
 * has not handed it over keeps it, and one that has does not run it again.
 */
export function farewellOf(error: MicrostunError, isKnownNotToBeHere: boolean): Message {
  return isKnownNotToBeHere
    ? { name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'GUEST_FAILED', reason: clipReason(error.message) }
    : cancelOf(error);
}
