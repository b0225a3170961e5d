// Who gives up first: what the two hosts' times have to do with each other.
import { describe, expect, it } from 'vitest';
import { PHASE_LIMITS } from '../../src/destination/states/limits.js';
import { BODY_BYTES_MAX } from '../../src/shared/frame-limits.js';
import * as limits from '../../src/shared/limits.js';
import { FrameType } from '../../src/shared/wire/frames.js';
import { phaseLimits } from '../../src/source/states/phase-limits.js';

const RECONNECTS_MS = [0, 1, 1000, 60_000, 8760 * 3_600_000];

describe('who gives up first', () => {
  it.each(RECONNECTS_MS)('is the source, which decides, when it may stay away for %i ms', (reconnectMs) => {
    expect(limits.sourceAwaitedMs(reconnectMs)).toBeGreaterThanOrEqual(reconnectMs);
    if (reconnectMs > 0) expect(limits.sourceAwaitedMs(reconnectMs)).toBeGreaterThan(reconnectMs);
  });

  it.each(RECONNECTS_MS)('is not a push whose destination stays away for %i ms', (reconnectMs) => {
    expect(phaseLimits(reconnectMs).pushStillMs).toBeGreaterThanOrEqual(limits.sourceAwaitedMs(reconnectMs));
  });

  it('is the destination where its source is to hear why: it prepares and audits for less time than is waited', () => {
    expect(PHASE_LIMITS.prepareMs + limits.SILENCE_MS_MAX).toBeLessThanOrEqual(limits.PREPARED_MS_MAX);
    expect(PHASE_LIMITS.auditMs + limits.SILENCE_MS_MAX).toBeLessThanOrEqual(limits.AUDITED_MS_MAX);
  });

  it('is nobody while a source is quiet in a stun', () => {
    expect(limits.STUN_QUIET_MS + 2 * limits.HEARTBEAT_MS).toBeLessThan(limits.SILENCE_MS_MAX);
  });

  it('is whoever dialled, when a greeting is lost', () => {
    expect(limits.WELCOME_MS_MAX).toBeLessThan(limits.GREETING_MS_MAX);
    expect(limits.SILENCE_MS_MAX + limits.CONTROL_DIAL_MS_MAX).toBeLessThan(limits.GREETED_MS_MAX);
  });

  it('is the destination of a page connection that carries nothing, before its source', () => {
    expect(limits.STALL_MS_MAX).toBeLessThan(limits.UNSEEN_STILL_MS_MAX);
  });
});

describe('a run that counts as stuck', () => {
  it('has taken longer than all that its own limits allow', () => {
    expect(limits.stuckRunMs([100, 20], [3])).toBeGreaterThan(100 + 20 + 2 * 3);
    expect(limits.stuckRunMs([100], [3]) - limits.stuckRunMs([], [])).toBe(106);
  });
});

describe('sizes', () => {
  it('have a longest body for every frame', () => {
    expect(Object.keys(BODY_BYTES_MAX).sort()).toEqual(Object.keys(FrameType).sort());
  });
});
