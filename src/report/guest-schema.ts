// What a report says of the guest before its stop: what the migration cost it, and what it said when it was asked.
// A part of report-schema.ts, which has all the others.
import { count, exactly, fields, number } from './schema-parts.js';

export const guestCost = fields({
  beforePagesPerSecond: number()
    .nullable()
    .describe(
      'mean throughput in the last second before the migration; `null` where it did not run that long',
    ),
  duringPagesPerSecond: number()
    .nullable()
    .describe('mean throughput from the installation of traces to the stop; `null` in a post-copy'),
  lostShare: number().nullable().describe('of the throughput; negative where there was more of it'),
  lostShareError: number()
    .nullable()
    .describe(
      'how far `lostShare` may be off, by how much the samples of either stretch differ among themselves: a loss within it is none that was measured',
    ),
  longestSliceMs: number().describe(
    'the longest slice of any vCPU from the beginning of the migration to the stun, without what it waited for pages: a stop, or a trace, waits for the end of one',
  ),
  longestStallBeforeStunMs: number().describe(
    'the longest that any vCPU stood between two slices, or waited for a page',
  ),
  longestStallAfterStunMs: number()
    .nullable()
    .describe(
      'the same from the resume to the audit; without one, to the last sample that was told; `null` without samples',
    ),
});

export const notice = fields({
  outcome: exactly('ready', 'time over', 'paused').describe(
    '`ready`: it said that it may be stopped; `time over`: it did not, and was moved without its consent; `paused`: it ran nothing that could be asked',
  ),
  askedMs: number().describe('from the first question until then; the guest ran on meanwhile'),
  questions: count(),
  limitMs: number().describe('`--guest-notice`: how long it may be asked in all'),
});
