// The head of the page: how long the guest stood still, when it had recovered, and what became of it.
// Knows the report.
import { formatBytes, formatCount, formatMemory, formatMs } from '../../shared/units.js';
import {
  isOverBudget,
  type AuditReport,
  type MigrationReport,
  type RecoveryReport,
  type TimesReport,
} from '../../report/document.js';
import { recoveryRemark, recoveryValue } from '../../report/recovery-text.js';
import { figure, html, type Insert, type Markup } from '../markup.js';
import { tile } from './section.js';

export function headline(report: MigrationReport): Markup {
  const { guest, mode, stun, recovery, totalMs, forecastStunMs, bytes, source, destination, times } = report;
  const { longestStallAfterStunMs } = report.guestCost;
  return html`<header>
    <p class="eyebrow"><b>microstun</b> migration report</p>
    <h1>The guest stood still for <em>${formatMs(stun.guestGapMs)}</em></h1>
    <p class="subtitle">
      Guest <q>${guest.program}</q> with ${formatMemory(guest.memoryBytes, guest.residentBytes)} and
      ${formatCount(guest.vcpus)} ${guest.vcpus === 1 ? 'vCPU' : 'vCPUs'} moved from host ${source.host},
      process ${String(source.pid)}, to host ${destination.host}, process ${String(destination.pid)}, by
      ${mode}.
    </p>
    <p class="badges">
      ${outcomeBadge(report)} ${budgetBadge(report)} ${auditBadge(report.audit)} ${cutsBadge(report.cuts)}
      ${findings(report.audit)}
    </p>
    <dl class="tiles">
      ${tile(
        'The guest stood still',
        html`${figure('stun.guestGapMs', stun.guestGapMs, formatMs(stun.guestGapMs))}
          <small
            >±&nbsp;${figure('stun.clockErrorMs', stun.clockErrorMs, formatMs(stun.clockErrorMs))}</small
          >`,
        'its own gap: last slice at the source to first at the destination, ± clock error',
        'is-main',
      )}
      ${tile('Recovery', recoveryFigure(recovery), recoveryRemark(recovery))}
      ${tile(
        'Longest stall after',
        longestStallAfterStunMs === null
          ? 'not sampled'
          : figure(
              'guestCost.longestStallAfterStunMs',
              longestStallAfterStunMs,
              formatMs(longestStallAfterStunMs),
            ),
        'of any vCPU, once the guest ran again',
      )}
      ${tile(
        'Stop to answer',
        figure('stun.stunMs', stun.stunMs, formatMs(stun.stunMs)),
        'on the source’s clock',
      )}
      ${tile('Forecast', forecast(forecastStunMs), `of stop to answer; switched over: ${report.switchOverReason}`)}
      ${timeTiles(totalMs, times)}
      ${tile(
        'On the wire',
        figure('bytes.total', bytes.total, formatBytes(bytes.total)),
        guest.residentBytes === 0
          ? `${percentOf(bytes.total, guest.memoryBytes)} of guest memory`
          : `${percentOf(bytes.total, guest.residentBytes)} of resident memory`,
      )}
    </dl>
  </header>`;
}

// Each on its own: what takes long is a matter of its own in each.
function timeTiles(totalMs: number, times: TimesReport): Markup {
  const time = (name: keyof TimesReport): Insert => {
    const ms = times[name];
    return ms === null ? 'none' : figure(`times.${name}`, ms, formatMs(ms));
  };
  return html`${tile(
    'Total time',
    figure('totalMs', totalMs, formatMs(totalMs)),
    html`start to resume, ${time('switchOverMs')} of it switch-over`,
  )}
  ${tile('Preparation', time('preparationMs'), 'connecting, memory and vCPUs, clocks')}
  ${tile('Copying', time('copyingMs'), 'traces, rounds and harvests, while the guest runs')}
  ${tile('Push', time('pushMs'), 'pages that follow, after the total')}`;
}

/** A time, or why there is none. */
function recoveryFigure(recovery: RecoveryReport): Insert {
  const { recoveryMs } = recovery;
  const value = recoveryValue(recovery);
  return recoveryMs === null ? value : figure('recovery.recoveryMs', recoveryMs, value);
}

function forecast(forecastStunMs: number | null): Insert {
  return forecastStunMs === null
    ? 'none'
    : figure('forecastStunMs', forecastStunMs, formatMs(forecastStunMs));
}

function percentOf(part: number, whole: number): string {
  if (!(whole > 0)) return 'no share';
  const percents = (100 * part) / whole;
  // Of a large guest little is resident, and less may be sent.
  return `${percents >= 1 ? formatCount(percents) : String(Number(percents.toPrecision(2)))} %`;
}

function outcomeBadge({ outcome }: MigrationReport): Markup {
  return html`<span class="badge is-good">${outcome}</span>`;
}

function budgetBadge(report: MigrationReport): Markup | undefined {
  if (!isOverBudget(report)) return undefined;
  const { stunBudgetMs } = report.settings;
  return html`<span class="badge is-warning"
    >stun over its budget of ${figure('settings.stunBudgetMs', stunBudgetMs, formatMs(stunBudgetMs))}</span
  >`;
}

function auditBadge(audit: AuditReport | null): Markup {
  if (audit === null) return html`<span class="badge">no audit was asked for</span>`;
  if (!audit.passed) {
    return html`<span class="badge is-bad"
      >audit failed: ${figure('audit.failed', audit.failed, formatCount(audit.failed))} findings</span
    >`;
  }
  return html`<span class="badge is-good"
    >audit passed: ${figure('audit.checked', audit.checked, formatCount(audit.checked))} pages checked</span
  >`;
}

function findings(audit: AuditReport | null): Markup | undefined {
  if (audit === null || audit.findings.length === 0) return undefined;
  return html`<span class="findings"
    >${audit.findings.map((finding) => html`<span>${finding}</span>`)}</span
  >`;
}

function cutsBadge(cuts: number): Markup | undefined {
  if (cuts === 0) return undefined;
  return html`<span class="badge is-warning"
    >${figure('cuts', cuts, formatCount(cuts))} connection ${cuts === 1 ? 'cut' : 'cuts'} survived</span
  >`;
}
