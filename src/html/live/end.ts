// How a live page ends: with the head of the report and the stun in its parts, or with what went wrong.
// Knows reports and failures; answers parts of a page by their ids.
import type { FailureReport, MigrationReport } from '../../report/document.js';
import { headline } from '../sections/headline.js';
import { html, type Markup } from '../markup.js';
import { stunSection } from '../sections/stun.js';

type Parts = Readonly<Record<'head' | 'outcome', string>>;

/** `reportPath`: where the whole report is. */
export function completedParts(report: MigrationReport, reportPath: string): Parts {
  const head = html`${headline(report)}
    <p class="actions"><a class="action" href="${reportPath}">Open the whole report</a></p>`;
  return { head: head.text, outcome: stunSection(report).text };
}

export function failedParts({ phase, error, owner, safeNext }: FailureReport): Parts {
  const head = failure(
    `It failed while ${phase.replaceAll('-', ' ')}: ${error.message}`,
    html`<span class="badge is-bad">${error.code}</span>
      <span class="badge ${owner === 'source' || owner === 'destination' ? '' : 'is-bad'}"
        >owner of the guest: ${owner}</span
      >`,
    html`<p class="lede">Safe to do next: ${safeNext}.</p>`,
  );
  return { head: head.text, outcome: '' };
}

/** A run that ended before there was a migration to report. */
export function abortedParts(message: string): Parts {
  const head = failure(message, html`<span class="badge is-bad">ended</span>`, undefined);
  return { head: head.text, outcome: '' };
}

function failure(message: string, badges: Markup, remark: Markup | undefined): Markup {
  return html`<header class="is-failed">
    <p class="eyebrow"><b>microstun</b> live view</p>
    <h1><em>The migration failed</em></h1>
    <p class="subtitle">${message}</p>
    <p class="badges">${badges}</p>
    ${remark}
  </header>`;
}
