// A comparison as people read it in a terminal: a table of two lines a figure, medians above quartiles.
// Pure: a comparison in, text out. With the standard settings the table is at most 110 characters wide.
import { MISSING, describeGuest, describeLink, formatRange, formatRatio, formatValue } from './values.js';
import type { ComparedSetting, Comparison, ComparisonRow, RunFailure } from './comparison.js';

export function renderComparison(comparison: Comparison): string {
  const { settings } = comparison;
  return [
    `${headline(comparison)}\n${explanation(comparison)}`,
    table(
      [['median', ...settings.map(({ name }) => name)]],
      [
        ...comparison.rows.flatMap(rowLines),
        ['stuns over their budget', ...settings.map(overBudgetOf)],
        ['audits that passed', ...settings.map(auditsOf)],
        [
          'runs that failed',
          ...settings.map(({ failures: { length } }) =>
            length === 0 ? '0' : `${length} of ${comparison.runs}`,
          ),
        ],
      ],
    ),
    legend(settings),
    ...failureLines(comparison),
  ].join('\n\n');
}

/** What was moved how often, in lines. */
export function headline({ subject, runs, isComplete, settings }: Comparison): string {
  const done = settings.map(({ completed, failures }) => completed + failures.length);
  return [
    `Guest: ${describeGuest(subject)}.`,
    `Link: ${describeLink(subject)}.`,
    `${runs} ${runs === 1 ? 'run' : 'runs'} of each setting, interleaved, each in processes of its own${isComplete ? '' : `; interrupted after ${done.join(', ')}`}.`,
  ].join('\n');
}

function explanation({ runs }: Comparison): string {
  return runs === 1
    ? 'One value each; × is its ratio to the first setting’s.'
    : 'Medians, × their ratio to the first setting’s, and the quartiles below.';
}

/** Medians with their ratios; below them the quartiles, unless they say nothing that the medians do not. */
function rowLines({ name, unit, isPart, cells }: ComparisonRow): string[][] {
  const medians = cells.map(({ median, ratio }, at) =>
    [formatValue(unit, median), at === 0 ? '' : formatRatio(ratio)].filter((word) => word !== '').join(' '),
  );
  const quartiles = cells.map(({ lowerQuartile, upperQuartile }) =>
    lowerQuartile === null ? '' : formatRange(unit, lowerQuartile, upperQuartile),
  );
  const hasSpread = cells.some(
    ({ lowerQuartile, upperQuartile }, at) =>
      lowerQuartile !== upperQuartile && quartiles[at] !== formatValue(unit, cells[at]!.median),
  );
  const label = isPart ? `  ${name}` : name;
  return hasSpread
    ? [
        [label, ...medians],
        ['', ...quartiles],
      ]
    : [[label, ...medians]];
}

export function overBudgetOf({ completed, overBudget }: ComparedSetting): string {
  if (completed === 0) return MISSING;
  return overBudget === 0 ? '0' : `${overBudget} of ${completed}`;
}

export function auditsOf({ completed, audits }: ComparedSetting): string {
  const asked = audits.passed + audits.failed;
  if (asked > 0) return `${audits.passed} of ${asked}`;
  return completed > 0 ? 'not asked for' : MISSING;
}

function legend(settings: readonly ComparedSetting[]): string {
  const width = Math.max(...settings.map(({ name }) => name.length));
  return settings
    .map(({ name, summary, flags }) =>
      [name.padEnd(width), [summary, flags.join(' ')].filter((text) => text !== '').join(': ')]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What failed, as one paragraph; none when nothing did. */
export function failureLines({ settings }: Comparison): string[] {
  const lines = settings.flatMap((setting) =>
    setting.failures.map((failure) => failureLine(setting, failure)),
  );
  return lines.length === 0 ? [] : [`Failed\n${lines.join('\n')}`];
}

function failureLine({ name }: ComparedSetting, { run, status, message, flags }: RunFailure): string {
  return `  run ${run + 1} of "${name}", status ${status}: ${message}\n    flags: ${flags.join(' ')}`;
}

/** The first column to the left, the others to the right; a rule before each part but the first. */
export function table(...parts: readonly (readonly (readonly string[])[])[]): string {
  const rows = parts.flat();
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  return parts.map((part) => part.map(line).join('\n')).join(`\n${rule}\n`);
}
