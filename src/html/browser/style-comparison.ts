// Shapes of what only a comparison has: strip plots and a table of many columns. Colours are style.ts's.

export const comparisonStyle = `
.strip-plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 26px 48px; }
.strips { min-width: 0; }
.strips h3 { margin: 0; }
.strips .hint { margin: 2px 0 8px; }
.strip-rows { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; column-gap: 16px; align-items: center; grid-auto-flow: row dense; }
.strip-name, .strip-value { font-size: 13px; line-height: 1.3; }
.strip-name { color: var(--soft); grid-column: 1; }
.strip-value { grid-column: 3; font-weight: 550; text-align: right; white-space: nowrap; }
.strip-value small { display: block; font-size: 12px; font-weight: 400; color: var(--soft); }
.strip { grid-column: 2; min-width: 0; }
.strip svg { display: block; width: 100%; height: 38px; overflow: visible; }
.strip-grid, .strip-dots, .strip-median { fill: none; vector-effect: non-scaling-stroke; }
.strip-grid { stroke: var(--rule); stroke-width: 1; }
.strip-box { fill: var(--source); opacity: .18; }
.strip-dots { stroke: var(--source); stroke-width: 6; stroke-linecap: round; opacity: .75; }
.strip-median { stroke: var(--stun); stroke-width: 2; }
.ticks { grid-column: 2; position: relative; height: 18px; font-size: 11px; color: var(--soft); }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }

.is-whole { max-height: none; }
.matrix th:not(:first-child), .matrix td { text-align: right; white-space: nowrap; }
.matrix tbody th { white-space: nowrap; padding-right: 20px; }
.matrix .is-part { padding-left: 14px; color: var(--soft); }
.matrix td { font-weight: 550; }
.matrix td small { font-size: 12px; font-weight: 400; color: var(--soft); margin-left: 4px; }
.quartiles { display: block; font-size: 12px; font-weight: 400; color: var(--soft); }
.matrix th:first-child { position: sticky; left: 0; background: var(--card); }
.setting-list th { white-space: nowrap; padding-right: 20px; font-weight: 550; }
.setting-list td span, .setting-list td code { display: block; }
.setting-list code { font: 12px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--soft); }
.setting-list td:last-child { text-align: right; color: var(--soft); white-space: nowrap; }

@media (max-width: 560px) {
  .strip-rows { grid-template-columns: 1fr auto; }
  .strip-name, .strip-value { margin-top: 6px; }
  .strip-value { grid-column: 2; }
  .strip-value small { display: inline; margin-left: 6px; }
  .strip, .ticks { grid-column: 1 / -1; margin: 0 14px; }
  .strip svg { height: 32px; }
  .setting-list tr { display: grid; grid-template-columns: 1fr auto; padding: 8px 0; border-bottom: 1px solid var(--rule); }
  .setting-list th, .setting-list td { border: 0; padding: 0; }
  .setting-list td:nth-child(2) { grid-column: 1 / -1; grid-row: 2; }
  .matrix th:first-child { white-space: normal; overflow-wrap: normal; min-width: 104px; padding-right: 10px; }
}
`;
