// The stun: how long the guest stood still, and on the same scale stop to answer in its parts, every part with its value.
// Knows the report; plain HTML, drawn without a script.
import { formatMs } from '../../shared/units.js';
import type { MigrationReport, StunParts } from '../../report/document.js';
import { recoveryValue } from '../../report/recovery-text.js';
import { stunPartKeys, stunPartNames } from '../../report/stun-parts.js';
import { figure, html, type Markup } from '../markup.js';
import { card, percent } from './section.js';

/** Where each part passes; the parts of a place share a hue. */
const places: Readonly<Record<keyof StunParts, 'source' | 'wire' | 'destination'>> = {
  parkMs: 'source',
  harvestMs: 'source',
  compactionMs: 'source',
  sendMs: 'source',
  networkMs: 'wire',
  validationMs: 'destination',
  placementMs: 'destination',
  resumeMs: 'destination',
};

/** Parts that miss this share of the stun are worth a word. */
const UNEXPLAINED_SHARE = 0.01;

export function stunSection(report: MigrationReport): Markup {
  const { parts, stunMs, guestGapMs, clockErrorMs } = report.stun;
  const sumMs = stunPartKeys.reduce((sum, key) => sum + parts[key], 0);
  const scaleMs = Math.max(stunMs, sumMs, guestGapMs + clockErrorMs);
  const gapFrom = Math.max(0, guestGapMs - clockErrorMs);
  return card(
    'stun',
    'The stun, part by part',
    html`<p class="lede">${largestPart(parts, sumMs)}</p>
      <div
        class="bars"
        role="img"
        aria-label="How long the guest stood still as one bar, the parts of stop to answer below it"
      >
        <span class="bar-name">stood still</span>
        <div class="stack is-thin">
          <i class="gap" style="width:${percent(guestGapMs, scaleMs)}"></i>
          <b
            class="whisker"
            style="left:${percent(gapFrom, scaleMs)};width:${percent(guestGapMs + clockErrorMs - gapFrom, scaleMs)}"
          ></b>
        </div>
        <span class="bar-name">stop to answer</span>
        <div class="stack">
          ${stunPartKeys.map(
            (key) =>
              html`<i
                class="part-${key}"
                style="width:${percent(parts[key], scaleMs)}"
                title="${stunPartNames[key]}: ${formatMs(parts[key])}"
              ></i>`,
          )}
        </div>
      </div>
      <table class="parts">
        <thead>
          <tr>
            <th scope="col">part</th>
            <th scope="col">where</th>
            <th scope="col">time</th>
            <th scope="col">share</th>
          </tr>
        </thead>
        <tbody>
          ${stunPartKeys.map((key) => partRow(key, parts[key], stunMs))}
          ${unexplainedRow(stunMs - sumMs, stunMs)}
        </tbody>
        <tfoot>
          ${totalRows(report)}
        </tfoot>
      </table>`,
  );
}

// What stands below the parts: what they add up to, and what the guest felt.
function totalRows({ stun, recovery, guestCost }: MigrationReport): readonly Markup[] {
  const { longestStallAfterStunMs } = guestCost;
  return [
    totalRow('is-empty', 'stop to answer', formatMs(stun.stunMs)),
    totalRow(
      'gap',
      'the guest stood still',
      formatMs(stun.guestGapMs),
      `±\u00a0${formatMs(stun.clockErrorMs)}`,
    ),
    totalRow('is-empty', 'recovered after', recoveryValue(recovery)),
    totalRow(
      'is-empty',
      'longest stall after',
      longestStallAfterStunMs === null ? 'not sampled' : formatMs(longestStallAfterStunMs),
    ),
  ];
}

function totalRow(swatch: string, name: string, value: string, remark = ''): Markup {
  return html`<tr>
    <th scope="row"><i class="swatch ${swatch}"></i>${name}</th>
    <td></td>
    <td>${value}</td>
    <td>${remark}</td>
  </tr>`;
}

function partRow(key: keyof StunParts, ms: number, stunMs: number): Markup {
  return html`<tr>
    <th scope="row"><i class="swatch part-${key}"></i>${stunPartNames[key]}</th>
    <td class="soft">${places[key]}</td>
    <td>${figure(`stun.parts.${key}`, ms, formatMs(ms))}</td>
    <td>${share(ms, stunMs)}</td>
  </tr>`;
}

function unexplainedRow(ms: number, stunMs: number): Markup | undefined {
  if (Math.abs(ms) <= UNEXPLAINED_SHARE * stunMs) return undefined;
  return html`<tr>
    <th scope="row"><i class="swatch is-empty"></i>not accounted for</th>
    <td></td>
    <td>${formatMs(ms)}</td>
    <td>${share(ms, stunMs)}</td>
  </tr>`;
}

function share(ms: number, stunMs: number): string {
  return stunMs > 0 ? `${((100 * ms) / stunMs).toFixed(1)} %` : '';
}

function largestPart(parts: StunParts, sumMs: number): Markup {
  const largest = stunPartKeys.reduce((one, other) => (parts[other] > parts[one] ? other : one));
  return html`From the stop to the answer, on the source’s clock. The largest part: ${stunPartNames[largest]},
  ${share(parts[largest], sumMs)} of it.`;
}
