// Keeps a driver's events in order around a gate that another thread passes (memory/hand-over-gate.ts): what comes after the
// passing, and before it is told of, waits. Knows events by their kind only.
import { allocateHandOverGate, HandOverGate } from './memory/hand-over-gate.js';

export class GateKeeper<Event extends { readonly kind: string }> {
  /** The gate's shared word, for the thread that passes it. */
  readonly word = allocateHandOverGate();
  readonly gate = new HandOverGate(this.word);
  readonly #passing: Event['kind'];
  #waiting: Event[] = [];

  /** `passing`: the event that tells of the passing. */
  constructor(passing: Event['kind']) {
    this.#passing = passing;
  }

  /**
   * The step that `event` leads to; undefined when it means something else once the passing is told of, and waits for
   * that. `isAtGate`: whether the gate may be passed now. A step that leaves the gate counts only if that can be shut
   * first; one that `staysAtGate` changes nothing that a passing contradicts.
   */
  stepOf<Step>(
    event: Event,
    isAtGate: boolean,
    step: () => Step,
    staysAtGate: (step: Step) => boolean,
  ): Step | undefined {
    const isGuarded = isAtGate && event.kind !== this.#passing;
    if (!isGuarded) return step();
    if (!this.gate.isPassed) {
      const next = step();
      if (staysAtGate(next) || this.gate.shut()) return next;
    }
    this.#waiting.push(event);
    return undefined;
  }

  /** After the step of `event` was taken: the events that waited for it, in their order. */
  takeWaiting(event: Event): Event[] {
    if (event.kind !== this.#passing) return [];
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
