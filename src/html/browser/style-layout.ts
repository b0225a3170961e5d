// Shapes, sizes and type of the page. Colours are style.ts's.

export const layoutStyle = `
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
main { max-width: 1120px; margin: 0 auto; padding: clamp(20px, 5vw, 56px) clamp(16px, 4vw, 40px); }
h1 { font-size: clamp(30px, 6vw, 54px); line-height: 1.08; letter-spacing: -.025em; font-weight: 680; margin: 0 0 16px; text-wrap: balance; }
h1 em { font-style: normal; color: var(--stun); white-space: nowrap; }
h2 { font-size: 20px; letter-spacing: -.01em; font-weight: 640; margin: 0 0 6px; }
h3 { font-size: 14px; font-weight: 600; margin: 28px 0 10px; }
.eyebrow { margin: 0 0 20px; font-size: 13px; color: var(--soft); letter-spacing: .02em; }
.eyebrow b { color: var(--ink); letter-spacing: 0; margin-right: 6px; }
.subtitle { margin: 0; font-size: clamp(16px, 2.2vw, 19px); color: var(--soft); max-width: 60ch; text-wrap: pretty; }
.subtitle q { color: var(--ink); }
.badges { display: flex; flex-wrap: wrap; gap: 8px; margin: 20px 0 0; }
.badge { font-size: 13px; line-height: 1; padding: 7px 12px; border-radius: 99px; background: var(--well); color: var(--soft); font-weight: 550; }
.badge.is-good { background: var(--good-wash); color: var(--good); }
.badge.is-bad { background: var(--bad-wash); color: var(--bad); }
.badge.is-warning { background: var(--warning-wash); color: var(--warning); }
.findings { flex-basis: 100%; color: var(--bad); font-size: 14px; }
.findings span { display: block; }
.card, .tiles:not(.is-small) > .tile { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; }
.card { padding: clamp(18px, 3vw, 30px); margin-top: 20px; min-width: 0; }
.lede { margin: 0 0 18px; color: var(--soft); font-size: 15px; max-width: 72ch; text-wrap: pretty; }
.hint { margin: 12px 0 0; color: var(--soft); font-size: 13px; }
.missing { margin: 8px 0 0; padding: 18px; border: 1px dashed var(--rule); border-radius: 10px; color: var(--soft); font-size: 14px; text-align: center; }
.notice { margin: 20px 0 0; padding: 12px 16px; border-radius: 10px; background: var(--warning-wash); color: var(--warning); font-size: 14px; }
.is-failed .lede { margin: 20px 0 0; }
.badge.is-live { background: var(--source-wash); color: var(--source); }
.actions { margin: 22px 0 0; }
.action { display: inline-block; padding: 10px 18px; border-radius: 99px; background: var(--source); color: var(--page); font-size: 14px; font-weight: 600; text-decoration: none; }
.action:hover { background: color-mix(in srgb, var(--source) 85%, var(--ink)); }
.action:focus-visible { outline: 2px solid var(--source); outline-offset: 2px; }
.soft { color: var(--soft); }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin: 32px 0 0; }
.tile { padding: 18px 20px; min-width: 0; }
.tile dt { font-size: 13px; color: var(--soft); }
.tile dd { margin: 0; }
.tile .value { font-size: 26px; line-height: 1.25; font-weight: 640; letter-spacing: -.02em; }
.tile .value small { display: inline-block; line-height: 1.2; font-size: 14px; font-weight: 500; letter-spacing: 0; color: var(--soft); white-space: nowrap; }
.tile .remark { margin-top: 4px; font-size: 13px; line-height: 1.4; color: var(--soft); }
.tile.is-main { border-color: var(--stun); box-shadow: inset 0 0 0 1px var(--stun); }
.tile.is-main .value { color: var(--stun); }
.tiles.is-small { margin-top: 18px; border-top: 1px solid var(--rule); padding-top: 14px; gap: 12px 20px; grid-template-columns: repeat(auto-fit, minmax(136px, 1fr)); }
.is-small .tile { padding: 0; }
.is-small .tile .value { font-size: 18px; }

.chart { position: relative; margin: 0; }
.plot { width: 100%; min-height: 250px; overflow: hidden; }
.uplot { font: inherit; }
.y-title { display: block; font-size: 12px; color: var(--soft); padding: 0 110px 2px 0; }
.u-legend { font-size: 13px; color: var(--ink); text-align: left; margin: 4px 0 0; width: 100%; min-height: 26px; }
.u-legend th { font-weight: 550; }
.u-legend .u-marker { width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
.u-inline.u-inline tr { margin-right: 20px; }
.u-legend tbody { display: flex; flex-wrap: wrap; padding-left: 8px; }
.u-legend .u-series:first-child { order: 9; }
.u-legend .u-series:first-child:has(.u-value:empty) { visibility: hidden; }
.u-legend .u-value { min-width: 3.2em; color: var(--soft); margin-left: 6px; }
.u-inline.u-live th::after { content: none; }
.u-select { background: var(--source-wash); }
.u-hz .u-cursor-x { border-right-color: var(--soft); }
.toggle { position: absolute; top: -4px; right: 0; z-index: 2; font: 550 12px/1 system-ui, sans-serif; color: var(--soft); background: var(--card); border: 1px solid var(--rule); border-radius: 99px; padding: 7px 11px; cursor: pointer; }
.toggle:hover { color: var(--ink); border-color: var(--soft); }
.toggle:focus-visible, summary:focus-visible { outline: 2px solid var(--source); outline-offset: 2px; }

.swatch { display: inline-block; flex: none; width: 12px; height: 12px; border-radius: 3px; margin-right: 8px; }
.swatch.is-empty { background: none; }
.phases { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 14px 0 0; padding: 0; font-size: 13px; color: var(--soft); }
.phases li { display: flex; align-items: center; }
.phases b { color: var(--ink); font-weight: 550; margin-left: 6px; }
.phases .swatch { box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--soft) 40%, transparent); }
data { white-space: nowrap; }

.bars { display: grid; grid-template-columns: auto 1fr; gap: 8px 12px; align-items: center; }
.bars.has-values { grid-template-columns: auto 1fr auto; }
.bar-name, .bar-value { font-size: 13px; color: var(--soft); }
.bar-value { color: var(--ink); font-weight: 550; }
.stack { position: relative; display: flex; height: 44px; background: var(--well); border-radius: 8px; overflow: hidden; }
.stack i { display: block; height: 100%; box-shadow: inset -1px 0 0 var(--card); }
.stack.is-thin { height: 14px; border-radius: 5px; }
.stack.is-thin i { box-shadow: none; }
.gap { background: var(--stun); }
.whisker { position: absolute; top: 5px; height: 4px; background: var(--ink); opacity: .55; border-radius: 2px; }
.fill-dirty { background: var(--dirty); }
.fill-sent { background: var(--sent); }

table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { font-weight: 500; text-align: left; }
th, dt, .bar-name { overflow-wrap: normal; }
thead th { font-size: 12px; color: var(--soft); font-weight: 500; }
td, th { padding: 7px 12px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: baseline; }
.u-legend.u-legend td, .u-legend.u-legend th { border: 0; padding: 2px 0; vertical-align: middle; }
tbody:last-child tr:last-child > * { border-bottom: 0; }
td:last-child, th:last-child { padding-right: 0; }
tfoot th, tfoot td { font-weight: 640; }
tfoot tr:last-child > * { border-bottom: 0; }
.parts { margin-top: 20px; }
.parts td:nth-child(n+3), .parts th:nth-child(n+3), .ledger td:nth-child(n+3), .ledger th:nth-child(n+3), .numbers th, .numbers td { text-align: right; white-space: nowrap; }
.parts .swatch { vertical-align: -1px; }
.numbers { font-size: 13px; }
.numbers td[colspan] { text-align: center; }
.scroll { overflow-x: auto; max-height: 460px; }
.meter { width: 34%; }
.meter i { display: block; height: 8px; min-width: 1px; border-radius: 3px; background: var(--source); }
.pairs caption { text-align: left; font-size: 13px; color: var(--soft); padding-bottom: 4px; }
.pairs th { color: var(--soft); font-weight: 400; white-space: nowrap; }
.pairs td { text-align: right; font-weight: 550; }
.pairs td .soft { font-weight: 400; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 28px 44px; margin-top: 14px; }
.columns > table { align-self: start; }

.grid { display: block; width: 100%; height: auto; }
.shades { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 6px 20px; margin-top: 12px; font-size: 13px; color: var(--soft); }
.shades ol { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0; padding: 0; }
.shades li { display: flex; align-items: center; }
.shades output { color: var(--ink); min-height: 1.55em; }

.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 20px; }
details { margin-top: 18px; border-top: 1px solid var(--rule); padding-top: 14px; }
summary { cursor: pointer; font-size: 14px; color: var(--soft); }
summary:hover { color: var(--ink); }
pre { font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--well); border-radius: 10px; padding: 16px; margin: 14px 0 0; max-height: 480px; overflow: auto; white-space: pre-wrap; }
footer { margin-top: 32px; font-size: 13px; color: var(--soft); }

@media (max-width: 860px) { .pair { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) {
  .tiles:not(.is-small) { grid-template-columns: 1fr 1fr; gap: 10px; }
  .tiles:not(.is-small) > .is-main { grid-column: 1 / -1; }
  .tiles:not(.is-small):not(:has(.is-main)) > :last-child:nth-child(odd) { grid-column: 1 / -1; }
  .tile { padding: 14px 16px; }
  .tile .value { font-size: 22px; }
  .tile.is-main .value { font-size: 34px; }
  .exact, .parts td:nth-child(2), .parts th:nth-child(2) { display: none; }
  td, th { padding-right: 8px; }
}
@media print { body { background: none; } .card { break-inside: avoid; } .toggle, .hint { display: none; } }
`;
