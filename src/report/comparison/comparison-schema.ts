// The document of a comparison: every field, and what it may be. Types, checks and the JSON Schema come from here.
// Knows no runs; comparison.ts makes one, csv.ts and text.ts show it.
import { count, exactly, fields, list, number, numberOr, text, truth } from '../schema-parts.js';
import { COMPARISON_VERSION } from './comparison.js';

const failure = fields({
  run: count().describe('from 0'),
  status: count().describe("what the run's process ended with, or would have"),
  code: text(),
  message: text(),
  flags: list(text()).describe('all flags of the run'),
});

const setting = fields({
  name: text().describe('short: the head of a column'),
  summary: text().describe('what it is, in words; empty where the flags say it all'),
  flags: list(text()),
  completed: count(),
  overBudget: count().describe('of those, runs whose stun came out longer than its budget'),
  failures: list(failure),
  audits: fields({ passed: count(), failed: count(), notAsked: count() }).describe(
    'that passed, that found damage (such a run has failed), and runs without one',
  ),
});

const cell = fields({
  median: number().nullable(),
  lowerQuartile: number().nullable(),
  upperQuartile: number().nullable(),
  ratio: number()
    .nullable()
    .describe(
      "the median against the first setting's; `null` where either is missing or negative, or the first is 0",
    ),
  values: list(number().nullable()).describe(
    'one a run; `null` where the run failed, has not taken place, or did not measure this',
  ),
});

const row = fields({
  id: text(),
  name: text(),
  unit: exactly('ms', 'bytes', 'share', 'count'),
  isPart: truth(),
  cells: list(cell).describe('one for each setting, in order'),
});

const subject = fields({
  program: text().nullable(),
  memoryBytes: count().nullable(),
  residentBytes: count().nullable().describe('all that the guest touches of its memory; 0: all of it'),
  vcpus: count().nullable(),
  seed: count().nullable(),
  writeRate: numberOr('max').nullable(),
  connections: count().nullable(),
  bandwidthBytesPerSecond: numberOr('unlimited').nullable(),
  delayMs: number().nullable().describe('added to each round trip by an emulated link'),
});

/** What `compare --json` prints. */
export const comparisonDocument = fields({
  version: exactly(COMPARISON_VERSION).describe('of the document'),
  kind: exactly('comparison'),
  runs: count().describe('of each setting, as many as were asked for'),
  isFlagship: truth().optional().describe('whether these are the logics of `--flagship`; missing is no'),
  isComplete: truth().describe('whether all of them took place, well or not'),
  subject: subject.describe(
    'what was migrated over what; a field is `null` where it was not the same in all runs, or no run completed',
  ),
  settings: list(setting).min(1, { error: 'a list of one or more' }),
  rows: list(row),
}).superRefine(({ settings, rows }, context) => {
  for (const [at, { cells }] of rows.entries()) {
    if (cells.length === settings.length) continue;
    context.addIssue({
      code: 'custom',
      message: `a list of ${settings.length}, one a setting`,
      path: ['rows', at, 'cells'],
    });
  }
});
