import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

describe('what npm starts', () => {
  // npm starts a shell and passes SIGTERM on to that alone: a shell that stays would die and leave its guest behind.
  it('takes the place of its shell, so that a signal to npm reaches it', () => {
    const text = readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8');
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    const ours = Object.values(scripts).filter((script) => script.includes('ensure-built'));
    expect(ours.length).toBeGreaterThanOrEqual(3);
    for (const script of ours)
      expect(script).toMatch(/^(?:[A-Z_]+=\S+ )*exec node scripts\/ensure-built\.mjs /);
  });
});
