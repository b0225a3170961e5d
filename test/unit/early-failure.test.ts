import { describe, expect, it } from 'vitest';
import { earlyFailure } from '../../src/cli/early-failure.js';
import { exitStatusHelp, exitStatusOf } from '../../src/cli/exit-status.js';
import { failureReport } from '../../src/report/report-schema.js';
import { MicrostunError } from '../../src/shared/errors.js';

describe('the document of a command that ended early', () => {
  it.each([
    [new MicrostunError('USAGE', 'no'), 'USAGE', /command line/],
    [new MicrostunError('GUEST_FAILED', 'no'), 'GUEST_FAILED', /mend the guest/],
    [new MicrostunError('CANCELLED', 'no'), 'CANCELLED', /start the guest anew/],
    [new MicrostunError('LISTEN_FAILED', 'no'), 'LISTEN_FAILED', /what the message names/],
    [new TypeError('no'), 'BUG', /report this/],
  ])('says what happened and what to do next: %s', (error, code, next) => {
    const document = earlyFailure(error);
    expect(document).toMatchObject({ outcome: 'failed', error: { code, message: 'no' }, owner: 'nobody' });
    expect(document.safeNext).toMatch(next);
    expect(failureReport.safeParse(JSON.parse(JSON.stringify(document))).error).toBeUndefined();
  });
});

describe('a report that could not be written', () => {
  it('has an exit status of its own, which --help names', () => {
    expect(exitStatusOf('OUTPUT_FAILED')).toBe(9);
    expect(exitStatusHelp).toContain('9 all went well, but a report could not be written');
  });
});
