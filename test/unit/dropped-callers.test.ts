import { expect, it } from 'vitest';
import { DroppedCallers, SAID_MAX, SAID_WITHIN_MS } from '../../src/destination/dropped-callers.js';

it('callers that are dropped by the thousand are told of a few at a time, and the others are counted', () => {
  const said: string[] = [];
  let nowMs = 0;
  const dropped = new DroppedCallers(
    (from, text) => said.push(`${from}: ${text}`),
    () => nowMs,
  );
  for (let nth = 0; nth < 5000; nth++) dropped.note('10.0.0.1', 'silent');
  expect(said).toEqual(Array.from({ length: SAID_MAX }, () => '10.0.0.1: a connection was dropped: silent'));
  nowMs = SAID_WITHIN_MS;
  dropped.note('10.0.0.2', 'slow');
  dropped.note('10.0.0.2', 'slow');
  expect(said.slice(SAID_MAX)).toEqual([
    `10.0.0.2: a connection was dropped: slow; ${5000 - SAID_MAX} others were before it, and not told of`,
    '10.0.0.2: a connection was dropped: slow',
  ]);
});
