// A comparison that was saved as JSON, read back: checked field by field, because the file may be anything.
// Knows what a comparison is; which file it came from is the caller's.
import { MicrostunError } from '../../shared/errors.js';
import {
  checkDocument,
  count,
  describe,
  exactly,
  fields,
  isRecord,
  list,
  mismatch,
  nullable,
  number,
  text,
  truth,
  type Check,
} from '../checks.js';
import {
  COMPARISON_VERSION,
  type ComparedSetting,
  type Comparison,
  type ComparisonCell,
  type ComparisonRow,
  type ComparisonSubject,
  type RunFailure,
} from './comparison.js';

/** Whether `document` is what `compare --json` printed, or `compare --out` wrote: that, and the reports beside it. */
export function isComparison(document: unknown): boolean {
  return isRecord(document) && (Object.hasOwn(document, 'comparison') || document['kind'] === 'comparison');
}

/**
 * The comparison in `document`, for which `isComparison` holds; the reports beside it are not looked at.
 * @throws MicrostunError USAGE when this version of microstun cannot read it; `name` says in whose name.
 */
export function readComparison(document: unknown, name: string): Comparison {
  const saved: unknown =
    isRecord(document) && Object.hasOwn(document, 'comparison') ? document['comparison'] : document;
  if (isRecord(saved) && Object.hasOwn(saved, 'version') && saved['version'] !== COMPARISON_VERSION) {
    throw new MicrostunError(
      'USAGE',
      `${name} is a comparison of version ${describe(saved['version'])}; this microstun reads version ${COMPARISON_VERSION}`,
    );
  }
  checkDocument(saved, comparison, `${name} is a damaged microstun comparison`);
  return saved as Comparison;
}

const numberOrNull = nullable(number);

/** Two words for a number that may be none: `word` stands for what has no number. */
function numberOr(word: string): Check {
  return (value, place) => {
    if (value !== word) number(value, place);
  };
}

const setting = fields<ComparedSetting>({
  name: text,
  summary: text,
  flags: list(text),
  completed: count,
  overBudget: count,
  failures: list(
    fields<RunFailure>({ run: count, status: count, code: text, message: text, flags: list(text) }),
  ),
  audits: fields<ComparedSetting['audits']>({ passed: count, failed: count, notAsked: count }),
});

const row = fields<ComparisonRow>({
  id: text,
  name: text,
  unit: exactly('ms', 'bytes', 'share', 'count'),
  isPart: truth,
  cells: list(
    fields<ComparisonCell>({
      median: numberOrNull,
      lowerQuartile: numberOrNull,
      upperQuartile: numberOrNull,
      ratio: numberOrNull,
      values: list(numberOrNull),
    }),
  ),
});

const shape = fields<Comparison>({
  version: exactly(COMPARISON_VERSION),
  kind: exactly('comparison'),
  runs: count,
  isComplete: truth,
  subject: fields<ComparisonSubject>({
    program: nullable(text),
    memoryBytes: nullable(count),
    vcpus: nullable(count),
    seed: nullable(count),
    writeRate: nullable(numberOr('max')),
    connections: nullable(count),
    bandwidthBytesPerSecond: nullable(numberOr('unlimited')),
    delayMs: numberOrNull,
  }),
  settings: list(setting),
  rows: list(row),
});

/** The fields, and that there is a cell for every setting. */
const comparison: Check = (value, place) => {
  shape(value, place);
  const { settings, rows } = value as Comparison;
  if (settings.length === 0) throw mismatch('a list of one or more', settings, 'settings');
  for (const [at, { cells }] of rows.entries()) {
    if (cells.length !== settings.length)
      throw mismatch(`a list of ${settings.length}, one a setting`, cells, `rows[${at}].cells`);
  }
};
