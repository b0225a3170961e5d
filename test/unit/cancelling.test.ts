// What a source says at once when it is told to end in the middle of a migration.
import { describe, expect, it } from 'vitest';
import { cancelling } from '../../src/cli/source-run.js';

describe('a Ctrl-C during a migration', () => {
  it('is answered with what becomes of the guest, or of the process', () => {
    expect(cancelling('SIGINT', false)).toMatch(/^SIGINT: cancelling .* the guest then runs on here$/);
    expect(cancelling('SIGINT', true)).toMatch(/^SIGINT: cancelling .* once more ends this process at once$/);
  });
});
