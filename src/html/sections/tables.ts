// The byte ledger and the settings as tables, and the whole report as JSON.
// Knows the report; plain HTML.
import { formatBytes, formatCount, formatMemory, formatMs } from '../../shared/units.js';
import { noticeText } from '../../report/text-report.js';
import { reportText, type ByteLedger, type MigrationReport } from '../../report/document.js';
import { figure, html, type Markup } from '../markup.js';
import { DIRTY_UNITS_MAX } from './bitmap.js';
import { card, nameValueTable, percent, type NamedValue } from './section.js';

const ledgerNames: Readonly<
  Record<Exclude<keyof ByteLedger, 'total' | 'sockets' | 'encryption' | 'wire'>, string>
> = {
  firstCopy: 'first copy',
  resend: 'sent again',
  regionHeads: 'region heads, zero pages',
  bitmap: 'bitmap',
  checkpoint: 'checkpoint',
  faults: 'remote faults',
  hashes: 'hashes of all pages',
  control: 'control',
};

export function ledgerSection({ bytes }: MigrationReport): Markup {
  const difference = bytes.sockets - bytes.total;
  const cells = (name: keyof ByteLedger): Markup =>
    html`<td>${formatBytes(bytes[name])}</td>
      <td class="soft exact">${figure(`bytes.${name}`, bytes[name], formatCount(bytes[name]))}</td>`;
  return card(
    'bytes',
    'Every byte on the wire',
    html`<table class="ledger">
        <thead>
          <tr>
            <th scope="col">for</th>
            <th scope="col"></th>
            <th scope="col">size</th>
            <th scope="col" class="exact">bytes</th>
          </tr>
        </thead>
        <tbody>
          ${Object.entries(ledgerNames).map(([key, name]) => {
            const kind = key as keyof typeof ledgerNames;
            return html`<tr>
              <th scope="row">${name}</th>
              <td class="meter"><i style="width:${percent(bytes[kind], bytes.total)}"></i></td>
              ${cells(kind)}
            </tr>`;
          })}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">total</th>
            <td></td>
            ${cells('total')}
          </tr>
          <tr>
            <th scope="row">counted by the sockets</th>
            <td></td>
            ${cells('sockets')}
          </tr>
          ${
            bytes.encryption === 0
              ? ''
              : html`<tr>
                    <th scope="row">encryption</th>
                    <td></td>
                    ${cells('encryption')}
                  </tr>
                  <tr>
                    <th scope="row">on the wire</th>
                    <td></td>
                    ${cells('wire')}
                  </tr>`
          }
        </tfoot>
      </table>
      <p class="hint">
        ${
          difference === 0
            ? 'The rows add up to exactly what the operating system’s sockets counted.'
            : `The sockets counted ${formatCount(Math.abs(difference))} bytes ${difference > 0 ? 'more' : 'fewer'}: a connection that was cut had taken bytes that never became a whole frame.`
        }
      </p>`,
  );
}

const protectionNames: Readonly<Record<MigrationReport['settings']['security'], string>> = {
  'this-host': 'none, within one host',
  key: 'TLS 1.3 with a shared key',
  certificates: 'TLS 1.3 with certificates',
  insecure: 'none: clear text, to and from anybody (--insecure)',
};

export function settingsSection(report: MigrationReport): Markup {
  const { guest, trace, bitmap, connections, mode } = report;
  const rate = guest.writeRate === 'max' ? 'max' : `${formatCount(guest.writeRate)} pages/s`;
  const groups: readonly (readonly [caption: string, rows: readonly NamedValue[]])[] = [
    [
      'Guest',
      [
        ['program', guest.program],
        ['memory', chosenBytes('guest.memoryBytes', guest.memoryBytes)],
        ...(guest.residentBytes === 0
          ? []
          : [['of it resident', chosenBytes('guest.residentBytes', guest.residentBytes)] as const]),
        ['page', figure('guest.pageBytes', guest.pageBytes, formatBytes(guest.pageBytes))],
        ['vCPUs', figure('guest.vcpus', guest.vcpus, formatCount(guest.vcpus))],
        ['seed', figure('guest.seed', guest.seed, String(guest.seed))],
        ['write rate', rate],
      ],
    ],
    [
      'Migration',
      [
        ['mode', mode],
        ['tracing', trace.mode],
        ['bitmap', bitmap.format],
        ['page connections', figure('connections', connections, formatCount(connections))],
        ['bandwidth', rateOrNone(report.settings.bandwidthBytesPerSecond)],
        ['bandwidth of faults', rateOrNone(report.settings.faultBandwidthBytesPerSecond)],
        ['network', networkOf(report)],
        ['protection', protectionNames[report.settings.security]],
        ['stun budget', formatMs(report.settings.stunBudgetMs)],
        ['rounds at the most', formatCount(report.settings.roundsMax)],
        ['time limit', `${formatMs(report.settings.timeLimitMs)}, then ${report.settings.onTimeout}`],
        ...(report.notice === null
          ? []
          : [['the guest, asked before its stop', noticeText(report.notice)] as const]),
        ['switched over', report.switchOverReason],
        ['connection cuts', formatCount(report.cuts)],
      ],
    ],
    [
      'Processes',
      [
        ['source', html`process ${figure('source.pid', report.source.pid, String(report.source.pid))}`],
        [
          'destination',
          html`process ${figure('destination.pid', report.destination.pid, String(report.destination.pid))}`,
        ],
        ['report version', figure('version', report.version, String(report.version))],
      ],
    ],
  ];
  return card(
    'settings',
    'Settings',
    html`<div class="columns">${groups.map(([caption, rows]) => nameValueTable(caption, rows))}</div>
      ${wholeReport(report)}`,
  );
}

function wholeReport(report: MigrationReport): Markup {
  // A page of many megabytes is nobody’s to read.
  const isLong = report.bitmap.dirtyRegions.length > DIRTY_UNITS_MAX;
  return html`<details>
    <summary>The whole report as JSON${isLong ? ', but for its list of dirty regions' : ''}</summary>
    <pre>${reportText(isLong ? { ...report, bitmap: { ...report.bitmap, dirtyRegions: [] } } : report)}</pre>
  </details>`;
}

function rateOrNone(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? 'no limit' : `${formatBytes(bytesPerSecond)}/s`;
}

function networkOf({ link }: MigrationReport): string {
  if (link === null) return 'real';
  const cuts = link.cuts.length === 0 ? '' : `, cut ${formatCount(link.cuts.length)} times`;
  return `emulated: ${formatMs(link.delayMs)} added to each round trip${cuts}`;
}

function chosenBytes(field: string, bytes: number): Markup {
  return html`${formatMemory(bytes, 0)}
    <span class="soft">(${figure(field, bytes, formatCount(bytes))})</span>`;
}
