// The stun in its parts: one stacked bar, the guest's own gap below it on the same scale, every part with its value.
// Knows the report; plain HTML, drawn without a script.
import { formatMs } from '../../shared/units.js';
import type { MigrationReport, StunParts } from '../../report/document.js';
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

export function stunSection({ stun }: MigrationReport): Markup {
  const { parts, stunMs, guestGapMs, clockErrorMs } = stun;
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
        aria-label="The parts of the stun as one bar, the gap of the guest below it"
      >
        <span class="bar-name">stun</span>
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
        <span class="bar-name">gap</span>
        <div class="stack is-thin">
          <i class="gap" style="width:${percent(guestGapMs, scaleMs)}"></i>
          <b
            class="whisker"
            style="left:${percent(gapFrom, scaleMs)};width:${percent(guestGapMs + clockErrorMs - gapFrom, scaleMs)}"
          ></b>
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
          <tr>
            <th scope="row"><i class="swatch is-empty"></i>stun</th>
            <td></td>
            <td>${formatMs(stunMs)}</td>
            <td></td>
          </tr>
          <tr>
            <th scope="row"><i class="swatch gap"></i>the guest’s gap</th>
            <td></td>
            <td>${formatMs(guestGapMs)}</td>
            <td>±&nbsp;${formatMs(clockErrorMs)}</td>
          </tr>
        </tfoot>
      </table>`,
  );
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
  return html`Stop to answer, on the source’s clock. The largest part: ${stunPartNames[largest]},
  ${share(parts[largest], sumMs)} of it.`;
}
