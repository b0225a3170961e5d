// The guest's say in the source's state machine: when it is asked, what goes on meanwhile, and what its answers lead to.
import { describe, expect, it } from 'vitest';
import type { GuestAnswer } from '../../src/shared/guest/machine-notices.js';
import type { OutgoingEffect, OutgoingStep } from '../../src/source/states/effects.js';
import type { OutgoingEvent, TimerName } from '../../src/source/states/events.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { OutgoingState, Phase } from '../../src/source/states/states.js';
import { stepOutgoing } from '../../src/source/states/step.js';
import { planOf } from '../support/plan.js';

const plan = planOf({ mode: 'pre-copy', noticeMs: 2000, stunBudgetMs: 10 });
const rounds = [{ dirtyPages: 1000, sentBytes: 4_104_000, durationMs: 10 }];
const soFar = { rounds, roundTripMs: 1, isOvertime: false, throttledShare: 0 };
const harvesting: Phase = { name: 'harvesting', soFar, keptPages: 0 };
const control: OutgoingState['control'] = { name: 'up', instanceId: 'first' };

/** A migration that takes one event after the other. */
class Course {
  state: OutgoingState;
  effects: readonly OutgoingEffect[] = [];

  constructor(
    phase: Phase,
    readonly by: MigrationPlan = plan,
  ) {
    this.state = { control, phase };
  }

  take(event: OutgoingEvent): this {
    const { state, effects }: OutgoingStep = stepOutgoing(this.by, this.state, event);
    this.state = state;
    this.effects = effects;
    return this;
  }

  harvested(dirtyPages: number): this {
    return this.take({ kind: 'harvested', dirtyPages });
  }

  placed(): this {
    return this.take({ kind: 'round-placed', facts: rounds[0]! });
  }

  timer(timer: TimerName): this {
    return this.take({ kind: 'timer', timer });
  }

  answers(question: number, answer: GuestAnswer): this {
    return this.take({ kind: 'guest-answered', question, answer });
  }

  get phase(): string {
    return this.state.phase.name;
  }

  /** What was done by the last event, but for timers. */
  get done(): string[] {
    return this.effects.flatMap(({ kind }) => (kind === 'arm' || kind === 'disarm' ? [] : [kind]));
  }

  armed(timer: TimerName): number | undefined {
    return this.effects.flatMap((effect) =>
      effect.kind === 'arm' && effect.timer === timer ? [effect.ms] : [],
    )[0];
  }

  get question(): number | undefined {
    return this.effects.flatMap((effect) => (effect.kind === 'ask-guest' ? [effect.question] : []))[0];
  }
}

const delay: GuestAnswer = { kind: 'delay', delayMs: 40 };
const ready: GuestAnswer = { kind: 'ready' };

/** One that was asked because the rounds say that it would be stopped now. */
const asked = (by = plan): Course => new Course(harvesting, by).harvested(5);

describe('a guest without a say', () => {
  it('is stopped as soon as the rounds say so, and nothing else is done', () => {
    const course = asked({ ...plan, noticeMs: 0 });
    expect([course.phase, course.done]).toEqual(['stopping', ['note-forecast', 'switch-over']]);
    expect(course.state.notice).toBeUndefined();
  });
});

describe('a guest with a say', () => {
  it('is not asked before the rounds say that it would be stopped', () => {
    const course = new Course(harvesting).harvested(100_000);
    expect([course.phase, course.done]).toEqual(['copying', ['note-forecast', 'copy-round']]);
  });

  it('is asked then, and not stopped', () => {
    const course = asked();
    expect([course.phase, course.question, course.armed('notice-limit')]).toEqual(['notifying', 1, 2000]);
    expect(course.done).toEqual(['note-forecast', 'ask-guest']);
  });

  it('that is throttled is let go for the time that it is asked, once', () => {
    const throttled: Phase = { ...harvesting, soFar: { ...soFar, throttledShare: 0.5 } };
    const course = new Course(throttled).harvested(5);
    expect(course.effects).toContainEqual({ kind: 'throttle', share: 0 });
    course.timer('phase').placed().harvested(5);
    expect([course.phase, course.done]).toEqual(['notifying', ['note-forecast']]);
  });

  it('that is ready is stopped after one more harvest, which keeps what the last one took', () => {
    const course = asked().answers(1, ready);
    expect([course.phase, course.done]).toEqual(['harvesting', ['note-notice', 'harvest']]);
    expect(course.effects).toContainEqual({ kind: 'harvest', keepsRest: true });
    expect(course.state.phase).toMatchObject({ keptPages: 5 });
    expect(course.harvested(6).phase).toBe('stopping');
  });

  it('that has dirtied much while it was asked is copied on, and not asked again', () => {
    const course = asked().answers(1, ready).harvested(100_000);
    expect([course.phase, course.done]).toEqual(['copying', ['note-forecast', 'copy-round']]);
    expect(course.placed().harvested(5).phase).toBe('stopping');
  });

  it('that wants a moment is asked again after it, by another number', () => {
    const course = asked().answers(1, delay);
    expect([course.phase, course.done, course.armed('notice')]).toEqual(['notifying', [], 40]);
    expect(course.timer('notice').question).toBe(2);
    expect(course.answers(2, ready).phase).toBe('harvesting');
  });

  it('that wants no time at all is not asked without a pause', () => {
    expect(asked().answers(1, { kind: 'delay', delayMs: 0 }).armed('notice')).toBeGreaterThan(0);
  });

  it('is copied on while it takes its time, now and then, as long as it does not say that it is ready', () => {
    const course = asked();
    expect(course.armed('phase')).toBe(100);
    for (let pause = 0; pause < 5; pause++) {
      expect(course.timer('phase').done).toEqual(['copy-round']);
      expect(course.placed().harvested(5).phase).toBe('notifying');
      expect([course.question, course.armed('notice-limit')]).toEqual([undefined, undefined]);
    }
    // Nothing is dirty: a round has nothing to bring.
    course.timer('phase').placed().harvested(0);
    expect(course.timer('phase').done).toEqual(['harvest']);
    expect(course.harvested(0).phase).toBe('notifying');
  });

  it('that is ready while a round is under way is stopped once that is over', () => {
    const course = asked().timer('phase').answers(1, ready);
    expect([course.phase, course.done]).toEqual(['copying', ['note-notice']]);
    expect(course.placed().harvested(5).phase).toBe('stopping');
  });

  it('whose time is over is moved without its consent, and what it says after that is nothing', () => {
    const course = asked().timer('notice-limit');
    expect(course.done).toEqual(['withdraw-question', 'warn', 'note-notice', 'harvest']);
    expect(course.effects).toContainEqual({ kind: 'note-notice', outcome: 'time over' });
    expect(course.answers(1, { kind: 'veto', reason: 'too late' }).done).toEqual([]);
    expect(course.timer('notice').timer('notice-limit').done).toEqual([]);
    expect(course.harvested(5).phase).toBe('stopping');
  });

  it('that vetoes stays, with its reason, and both sides hear of it', () => {
    const course = asked().answers(1, { kind: 'veto', reason: 'the books are open' });
    expect(course.state.phase).toMatchObject({
      outcome: { owner: 'source', phase: 'notifying', error: { code: 'GUEST_VETOED' } },
    });
    expect(course.done).toEqual(['send', 'release-guest', 'hang-up', 'end']);
    expect(course.effects[0]).toMatchObject({
      message: {
        name: 'CANCEL',
        code: 'GUEST_VETOED',
        reason: expect.stringContaining('the books are open'),
      },
    });
  });

  it.each<GuestAnswer>([ready, delay, { kind: 'veto', reason: '' }])(
    'is not heard twice, nor in answer to another question: $kind',
    (answer) => {
      const course = asked().answers(1, delay).timer('notice');
      expect(course.answers(1, answer).effects).toEqual([]);
      expect(course.answers(3, answer).effects).toEqual([]);
      expect(course.state.notice).toEqual({ name: 'asked', question: 2 });
    },
  );

  it('that is paused is moved without being asked', () => {
    const course = asked().answers(1, { kind: 'paused' });
    expect(course.effects).toContainEqual({ kind: 'note-notice', outcome: 'paused' });
    expect(course.harvested(5).phase).toBe('stopping');
  });

  it('is asked in a post-copy too, which then waits for it', () => {
    const sample = { sentAt: 0, answeredAt: 0, receivedAt: 0 };
    const samples = Array.from({ length: 11 }, () => sample);
    const course = new Course({ name: 'measuring-clock', samples }, { ...plan, mode: 'post-copy' });
    course.take({ kind: 'received', receivedAt: 1, message: { name: 'PONG', sentAt: 0, answeredAt: 0 } });
    expect([course.phase, course.question]).toEqual(['notifying', 1]);
    expect(course.timer('phase').done).toEqual([]);
    course.answers(1, delay).timer('notice').answers(2, ready);
    expect([course.phase, course.done]).toEqual(['stopping', ['note-notice', 'switch-over']]);
  });

  it('is given its time beside that of the rounds, which are timed anew after it', () => {
    const course = asked();
    expect(course.effects).toContainEqual({ kind: 'disarm', timer: 'time-limit' });
    expect(course.timer('phase').answers(1, ready).armed('time-limit')).toBe(plan.timeLimitMs);
    const abort = asked({ ...plan, onTimeout: 'abort' })
      .answers(1, ready)
      .harvested(100_000);
    expect(abort.timer('time-limit').state.phase).toMatchObject({ outcome: { error: { code: 'TIMEOUT' } } });
  });

  it.each<OutgoingEvent>([
    { kind: 'cancel', reason: 'SIGINT' },
    { kind: 'timer', timer: 'pages' },
    { kind: 'timer', timer: 'control-limit' },
  ])('is released at once when the migration ends while it thinks: $kind $timer', (event) => {
    expect(asked().take(event).done).toEqual(expect.arrayContaining(['release-guest', 'end']));
  });
});
