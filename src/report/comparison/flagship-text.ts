// The flagship's comparison as people read it in a terminal: a logic a line, no wider than 80 columns.
// Pure: a comparison in, text out; the long table is text.ts's.
import { wrapLines } from '../wrapping.js';
import type { Comparison } from './comparison.js';
import {
  comparability,
  flagshipCell,
  flagshipColumns,
  isOfPublishedSize,
  published,
  type FlagshipColumn,
} from './flagship.js';
import { failureLines, headline, table } from './text.js';
import { formatValue, MISSING } from './values.js';

const COLUMNS_MAX = 80;

export function renderFlagship(comparison: Comparison): string {
  const { settings } = comparison;
  const ours = settings.map(({ name }, at) => [
    name,
    ...flagshipColumns.map((column) => valueOf(comparison, column, at)),
  ]);
  const hasPublished = isOfPublishedSize(comparison);
  const theirs = hasPublished
    ? published.map(({ name, texts }) => [name, ...texts.map((text) => text ?? MISSING)])
    : [];
  const width = Math.max(...settings.map(({ name }) => name.length));
  const flagsWidth = Math.max(...settings.map(({ flags }) => flags.join(' ').length));
  const legend = settings.map(
    ({ name, summary, flags }) => `${name.padEnd(width)}  ${flags.join(' ').padEnd(flagsWidth)}  ${summary}`,
  );
  const failures = failureLines(comparison);
  return [
    wrapLines(headline(comparison), COLUMNS_MAX),
    table(
      [
        ['', ...flagshipColumns.map(({ head }) => head[0])],
        ['median', ...flagshipColumns.map(({ head }) => head[1])],
      ],
      ...(hasPublished ? [ours, theirs] : [ours]),
    ),
    ...(hasPublished ? [wrapLines(comparability, COLUMNS_MAX)] : []),
    legend.join('\n'),
    ...failures,
    `${auditSentence(comparison)}Every figure, its quartiles and every run: --report, --csv, --json.`,
  ].join('\n\n');
}

function auditSentence({ settings }: Comparison): string {
  const sum = (of: (audits: Comparison['settings'][number]['audits']) => number): number =>
    settings.reduce((total, { audits }) => total + of(audits), 0);
  const [passed, failed] = [sum((audits) => audits.passed), sum((audits) => audits.failed)];
  if (passed + failed === 0) return '';
  return failed === 0
    ? `Every audit passed (${passed}).\n`
    : `Audits that failed: ${failed} of ${passed + failed}.\n`;
}

function valueOf(comparison: Comparison, column: FlagshipColumn, at: number): string {
  const median = flagshipCell(comparison, column, at)?.cell.median ?? null;
  return column.id === 'longestTraceStopMs' && median === 0 ? 'none' : formatValue(column.unit, median);
}
