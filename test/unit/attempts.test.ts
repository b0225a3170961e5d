import { describe, expect, it } from 'vitest';
import { Attempts, RETRY_MS_FIRST, RETRY_MS_MAX, type Patience } from '../../src/cli/attempts.js';
import { MicrostunError, type ErrorCode } from '../../src/shared/errors.js';
import type { MigrationResult } from '../../src/source/outgoing.js';

type Failed = Extract<MigrationResult, { kind: 'failed' }>;

function failed(code: ErrorCode = 'CONNECT_FAILED', owner: Failed['owner'] = 'source'): Failed {
  return { kind: 'failed', error: new MicrostunError(code, `it was ${code}`), owner, phase: 'connecting' };
}

/** Attempts that end as `results` say, the last one again and again; pauses end when `onPause` says so. */
class Story {
  readonly said: string[] = [];
  readonly pauses: number[] = [];
  readonly cancelled: string[] = [];
  asked = 0;
  begun = 0;
  readonly ended = new AbortController();
  readonly attempts: Attempts;
  onPause: (pause: number) => 'passes' | 'lasts' = () => 'passes';
  onRun: () => void = () => undefined;

  constructor(patience: Partial<Patience>, results: readonly Failed[]) {
    this.attempts = new Attempts(
      { retries: 5, once: false, ...patience },
      {
        begin: () => {
          const result = results[Math.min(this.begun++, results.length - 1)]!;
          return {
            run: () => {
              this.onRun();
              return Promise.resolve(result);
            },
            cancel: (reason) => this.cancelled.push(reason),
            askNow: () => this.asked++,
          };
        },
        say: (text) => this.said.push(text),
        wait: (ms, signal) =>
          new Promise((resolve) => {
            this.pauses.push(ms);
            signal.addEventListener('abort', () => {
              resolve();
            });
            if (this.onPause(this.pauses.length) === 'passes') resolve();
          }),
        signal: this.ended.signal,
        howToTry: 'a key tries now',
      },
    );
  }
}

describe('a guest that could not leave', () => {
  it('is tried again with pauses that double, and stays when the retries are used up', async () => {
    const story = new Story({ retries: 8 }, [failed()]);
    story.onPause = (pause) => {
      if (pause === 9) story.ended.abort();
      return 'passes';
    };
    expect(await story.attempts.run()).toEqual(failed());
    expect(story.pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, Infinity].map((s) => s * 1000));
    expect([RETRY_MS_FIRST, RETRY_MS_MAX]).toEqual([1000, 60_000]);
    expect(story.begun).toBe(9);
    expect(story.said.at(-1)).toMatch(/runs on here.*all 8 retries are used up: a key tries now/i);
  });

  it('is tried once by whoever waits for the end', async () => {
    const story = new Story({ once: true }, [failed()]);
    await story.attempts.run();
    expect(story).toMatchObject({ begun: 1, pauses: [], said: [] });
  });

  it('is tried at once when somebody asks for it, and with all retries again', async () => {
    const story = new Story({ retries: 1 }, [failed()]);
    story.onPause = (pause) => {
      if (pause === 2) story.attempts.tryNow();
      if (pause === 4) story.ended.abort();
      return pause === 2 ? 'lasts' : 'passes';
    };
    await story.attempts.run();
    expect(story.pauses).toEqual([1000, Infinity, 1000, Infinity]);
    expect(story.begun).toBe(4);
  });

  it('is not tried again by itself after its user cancelled', async () => {
    const story = new Story({}, [failed('CANCELLED')]);
    story.onRun = () => {
      expect(story.attempts.cancel('SIGINT')).toBe(true);
    };
    story.onPause = () => {
      expect(story.attempts.cancel('SIGINT')).toBe(false);
      story.ended.abort();
      return 'lasts';
    };
    await story.attempts.run();
    expect(story.cancelled).toEqual(['SIGINT']);
    expect(story.pauses).toEqual([Infinity]);
  });

  it('is tried again after what will hardly go away, and that is said', async () => {
    const story = new Story({ retries: 1 }, [failed('VERSION_MISMATCH')]);
    story.onPause = (pause) => {
      if (pause === 2) story.ended.abort();
      return 'passes';
    };
    await story.attempts.run();
    expect(story.pauses).toEqual([1000, Infinity]);
    expect(story.said.join('\n')).toMatch(/before both hosts run the same microstun/);
  });
});

describe('a guest that is not at the source any more', () => {
  it.each<Failed['owner']>(['destination', 'in doubt', 'lost'])('is not sent again: %s', async (owner) => {
    const story = new Story({}, [failed('CONNECTION_LOST', owner)]);
    expect(await story.attempts.run()).toMatchObject({ owner });
    expect(story.begun).toBe(1);
  });
});

describe('a migration that is under way', () => {
  it('asks now when somebody asks for an attempt', async () => {
    const story = new Story({ once: true }, [failed()]);
    story.onRun = () => {
      story.attempts.tryNow();
    };
    await story.attempts.run();
    expect(story.asked).toBe(1);
  });
});
