// The report as people read it in a terminal.
// Pure: a report in, text out.
import { mismatchText } from '../shared/mismatch-text.js';
import { formatBytes, formatCount, formatMemory, formatMs } from '../shared/units.js';
import { forecastErrors } from './forecast-error.js';
import { recoveryClause, recoveryRemark, recoveryValue } from './recovery-text.js';
import { stunPartKeys, stunPartNames } from './stun-parts.js';
import { lossText } from './throughput-loss.js';
import {
  isOverBudget,
  type FailureReport,
  type GapHistogram,
  type MigrationReport,
  type NoticeReport,
  type PostcopyReport,
  type RoundForecast,
} from './document.js';

/** The report of a completed migration, some thirty lines. */
export function renderReport(report: MigrationReport): string {
  return [
    headline(report),
    section('Stun', stunLines(report)),
    section('Time', timeLines(report)),
    section('Rounds', roundLines(report)),
    section('Tracing', [
      ['mode', report.trace.mode],
      ['traces installed in', formatMs(report.trace.installMs)],
      ['longest vCPU pause before the stun', formatMs(report.trace.longestVcpuPauseMs)],
      ['page fires', formatCount(report.trace.pageFires)],
      [
        'vCPUs stopped to trace',
        `${formatMs(report.trace.stoppedMs)} in all, ${formatMs(report.trace.longestStopMs)} at the longest`,
      ],
    ]),
    section('The guest', guestLines(report)),
    ...(report.postcopy === null ? [] : [section('After the switch-over', postcopyLines(report.postcopy))]),
    section('Bytes', byteLines(report)),
    ...verifyLines(report),
    auditLine(report),
  ].join('\n\n');
}

/** What is printed when a migration failed. */
export function renderFailure({ error, phase, owner, safeNext }: FailureReport): string {
  return [
    `The migration failed while ${phase}: ${error.message}`,
    section('Now', [
      ['cause', error.code],
      ['owner of the guest', owner],
      ['safe to do next', safeNext],
    ]),
  ].join('\n\n');
}

function emulationOf({ delayMs, cuts }: NonNullable<MigrationReport['link']>): string {
  const cut = cuts.length === 0 ? '' : `, cut after ${cuts.map(({ atMs }) => formatMs(atMs)).join(', ')}`;
  return `The network was emulated: ${formatMs(delayMs)} added to each round trip${cut}.`;
}

function headline(report: MigrationReport): string {
  const { guest, mode, stun, recovery, totalMs, source, destination, link, settings } = report;
  const { stunBudgetMs } = settings;
  return [
    `Migrated guest "${guest.program}" (${formatMemory(guest.memoryBytes, guest.residentBytes)}, ${guest.vcpus} vCPU${guest.vcpus === 1 ? '' : 's'}) by ${mode} in ${formatMs(totalMs)}.`,
    `The guest stood still for ${formatMs(stun.guestGapMs)}${recoveryClause(recovery)}.`,
    `Stop to answer: ${formatMs(stun.stunMs)}.${isOverBudget(report) ? ` The stun is over its budget of ${formatMs(stunBudgetMs)}.` : ''}`,
    `From host ${source.host}, process ${source.pid}, to host ${destination.host}, process ${destination.pid}.`,
    ...(link === null ? [] : [emulationOf(link)]),
    ...protectionLines(settings.security),
    ...(settings.pageChecks || isAuthenticated(settings.security)
      ? []
      : ['Pages carried no check of their own (--no-checksums).']),
  ].join('\n');
}

/** What a report says of connections that were not protected, where others could have listened. */
export const INSECURE =
  'NOT PROTECTED: all of the guest crossed the network in clear text, to and from anybody (--insecure).';

function isAuthenticated(security: MigrationReport['settings']['security']): boolean {
  return security === 'key' || security === 'certificates';
}

function protectionLines(security: MigrationReport['settings']['security']): string[] {
  switch (security) {
    case 'this-host':
      return [];
    case 'insecure':
      return [INSECURE];
    case 'key':
      return ['Encrypted and authenticated by TLS 1.3, with a shared key.'];
    case 'certificates':
      return ['Encrypted and authenticated by TLS 1.3, with certificates.'];
  }
}

type Row = readonly [label: string, value: string, note?: string];

function section(title: string, rows: readonly Row[]): string {
  // A row a round: there may be more of them than a call takes arguments.
  const widest = (width: (row: Row) => number): number =>
    rows.reduce((most, row) => Math.max(most, width(row)), 0);
  const labelWidth = widest(([label]) => label.length);
  const valueWidth = widest(([, value, note]) => (note === undefined ? 0 : value.length));
  const lines = rows.map(([label, value, note]) =>
    note === undefined
      ? `  ${label.padEnd(labelWidth)}  ${value}`
      : `  ${label.padEnd(labelWidth)}  ${value.padStart(valueWidth)}  ${note}`,
  );
  return [title, ...lines].join('\n');
}

function stunLines({ stun, recovery, guestCost, forecastStunMs, switchOverReason }: MigrationReport): Row[] {
  const parts = stunPartKeys.map((key): Row => {
    const ms = stun.parts[key];
    return [`  ${stunPartNames[key]}`, formatMs(ms), bar(ms / stun.stunMs)];
  });
  const { longestStallAfterStunMs } = guestCost;
  return [
    ['guest stood still', formatMs(stun.guestGapMs), `± ${formatMs(stun.clockErrorMs)}, its own gap`],
    ['recovered after', recoveryValue(recovery), recoveryRemark(recovery)],
    ...(longestStallAfterStunMs === null
      ? []
      : ([
          ['longest stall after', formatMs(longestStallAfterStunMs), 'of any vCPU, once it ran again'],
        ] as const)),
    ['stop to answer', formatMs(stun.stunMs), "on the source's clock"],
    [
      'forecast of that',
      forecastStunMs === null ? 'none' : formatMs(forecastStunMs),
      `switched over: ${switchOverReason}`,
    ],
    ...parts,
  ];
}

function timeLines({ times, totalMs }: MigrationReport): Row[] {
  const { preparationMs, copyingMs, switchOverMs, pushMs } = times;
  return [
    ['preparation', formatMs(preparationMs)],
    ['copying, the guest runs', formatMs(copyingMs)],
    ['switch-over', formatMs(switchOverMs)],
    ['total', formatMs(totalMs), 'start to resume'],
    ...(pushMs === null ? [] : [['push', formatMs(pushMs), 'after it: pages that followed'] as const]),
  ];
}

/** What came of asking a guest before its stop, in words. */
export function noticeText({ outcome, askedMs, questions, limitMs }: NoticeReport): string {
  switch (outcome) {
    case 'ready':
      return `ready after ${formatMs(askedMs)}, asked ${questions === 1 ? 'once' : `${formatCount(questions)} times`}`;
    case 'time over':
      return `moved without its consent: its ${formatMs(limitMs)} were over`;
    case 'paused':
      return 'not asked: it was paused';
  }
}

function guestLines({ guestCost, gaps, trace, notice }: MigrationReport): Row[] {
  const { beforePagesPerSecond, duringPagesPerSecond } = guestCost;
  const loss = lossText(guestCost);
  const rate = (pagesPerSecond: number | null): string =>
    pagesPerSecond === null ? 'not sampled' : `${formatCount(pagesPerSecond)} pages/s`;
  const rows: Row[] = [
    ['throughput before', rate(beforePagesPerSecond)],
    [
      'throughput during the rounds',
      loss === '' ? rate(duringPagesPerSecond) : `${rate(duringPagesPerSecond)} (${loss})`,
    ],
  ];
  if (trace.throttledMs > 0) rows.push(['throttled, all vCPUs together', formatMs(trace.throttledMs)]);
  for (const [name, histogram] of Object.entries<GapHistogram | null>(gaps)) {
    if (histogram !== null) rows.push([`gaps between slices, ${name}`, gapLine(histogram)]);
  }
  if (notice !== null) rows.push(['asked before the stop', noticeText(notice)]);
  rows.push(['longest slice before the stun', formatMs(guestCost.longestSliceMs)]);
  rows.push(['longest stall before the stun', formatMs(guestCost.longestStallBeforeStunMs)]);
  return rows;
}

function gapLine({ p50Us, p99Us, maxUs }: GapHistogram): string {
  const us = (value: number): string => formatMs(value / 1000);
  return `median ${us(p50Us)}, p99 ${us(p99Us)}, max ${us(maxUs)}`;
}

function bar(share: number): string {
  return '█'.repeat(Math.max(0, Math.round(share * 30))) || '▏';
}

/** Rounds beyond this many are summed up: nobody reads hundreds. */
const ROUNDS_SHOWN = 8;

function roundLines(report: MigrationReport): Row[] {
  const { rounds } = report;
  const shown = rounds.length <= ROUNDS_SHOWN ? rounds : [...rounds.slice(0, 3), ...rounds.slice(-4)];
  const last = report.postcopy === null ? 'in the stun: ' : 'after the switch-over: ';
  const rows = shown.map(
    ({ round, stage, dirtyPages, zeroPages, sentBytes, durationMs, throttledShare }): Row => [
      `round ${round}`,
      formatMs(durationMs),
      `${stage === 'last' ? last : ''}${formatCount(dirtyPages)} pages, ${formatCount(zeroPages)} of them zero; ${formatBytes(sentBytes)} at ${formatBytes(
        durationMs > 0 ? (sentBytes / durationMs) * 1000 : 0,
      )}/s${throttledShare > 0 ? `; vCPUs asleep ${(throttledShare * 100).toFixed(1)} %` : ''}`,
    ],
  );
  if (shown.length < rounds.length)
    rows.splice(3, 0, ['…', '', `${rounds.length - shown.length} more rounds`]);
  const [first] = forecastErrors(report);
  if (first !== undefined) {
    const { round, expected, came } = first;
    const change = hasChangedPlan(report) ? ', with pages that followed after all' : '';
    const told = ({ rounds: count, totalMs, stunMs }: RoundForecast): string =>
      `${count} rounds, ${formatMs(totalMs)} in all, stop to answer ${formatMs(stunMs)}`;
    rows.push(
      ['forecast', '', `${told(expected)}, before round ${round}`],
      ['came', '', `${told(came)}${change}`],
    );
  }
  return rows;
}

/** What was forecast before its rounds was a stun that holds the copying of what is left. */
function hasChangedPlan({ mode, postcopy }: MigrationReport): boolean {
  return mode === 'pre-copy' && postcopy !== null;
}

function postcopyLines({
  remotePageFaults,
  fetchedPages,
  pushedPages,
  durationMs,
  faultLatencyUs,
}: PostcopyReport): Row[] {
  const us = (value: number): string => formatMs(value / 1000);
  return [
    ['all pages there after', `${formatMs(durationMs)}, from the resume on, by the destination's clock`],
    ['pages pushed', formatCount(pushedPages)],
    ['pages fetched by faults', formatCount(fetchedPages)],
    ['remote page faults', formatCount(remotePageFaults)],
    [
      'fault latency',
      `median ${us(faultLatencyUs.p50)}, p99 ${us(faultLatencyUs.p99)}, max ${us(faultLatencyUs.max)}`,
    ],
  ];
}

function byteLines({ bytes, bitmap, cuts }: MigrationReport): Row[] {
  const check =
    cuts === 0
      ? 'the sockets counted the same'
      : `the sockets counted ${formatBytes(bytes.sockets)}, with connections cut ${cuts} times`;
  return [
    ['first copy', formatBytes(bytes.firstCopy)],
    ['sent again', formatBytes(bytes.resend)],
    ['region heads, zero pages', formatBytes(bytes.regionHeads)],
    ['bitmap', `${formatBytes(bytes.bitmap)} (${bitmapText(bitmap)})`],
    ['checkpoint', formatBytes(bytes.checkpoint)],
    ...(bytes.faults > 0 ? [['remote faults', formatBytes(bytes.faults)] as const] : []),
    ...(bytes.hashes > 0 ? [['hashes', formatBytes(bytes.hashes)] as const] : []),
    ['control', formatBytes(bytes.control)],
    ['total', `${formatBytes(bytes.total)} (${check})`],
    ...(bytes.encryption === 0
      ? []
      : [
          [
            'on the wire',
            `${formatBytes(bytes.wire)}, of which ${formatBytes(bytes.encryption)} are encryption`,
          ] as const,
        ]),
  ];
}

function bitmapText({ format, ahead, rawBytes, sentBytes }: MigrationReport['bitmap']): string {
  if (format === 'raw') return 'raw, a bit for each page of the guest';
  const raw = `raw ${formatBytes(rawBytes)}`;
  return ahead === null
    ? `${format}; ${raw}`
    : `${formatBytes(ahead.bytes)} ahead of the stun, ${formatBytes(sentBytes)} within it; ${raw}`;
}

function verifyLines({ verify }: MigrationReport): string[] {
  if (verify === null) return [];
  const { pages, windows, rereadPages } = verify;
  const compared = `${formatCount(pages)} pages in ${formatCount(windows)} regions, ${formatCount(rereadPages)} of them once more in memory`;
  return verify.mismatchedPages === 0
    ? [`Compared with the source as of the hand-over: equal, ${compared}.`]
    : [`Compared with the source as of the hand-over: FAILED, ${compared}.`, `  ${mismatchText(verify)}`];
}

function auditLine({ audit }: MigrationReport): string {
  if (audit === null) return 'Audit: not asked for.';
  if (audit.passed)
    return `Audit: passed, ${formatCount(audit.checked)} pages checked at the destination. The guest stood still for it; no figure above counts that.`;
  return [
    `Audit: FAILED, ${formatCount(audit.failed)} findings.`,
    ...audit.findings.map((finding) => `  ${finding}`),
  ].join('\n');
}
