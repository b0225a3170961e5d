// Numbers as charts write them: on axes, in legends, over bars.
// Pure; knows no chart and no browser.

const small = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

/** For where there is no room: 1.2K, 3M. */
export function formatCompact(value: number): string {
  return compact.format(value);
}

/** `isFine`: whether small values are worth more than whole numbers. */
export function formatValue(value: number, isFine: boolean): string {
  return (isFine && Math.abs(value) < 1000 ? small : whole).format(value);
}

/** A time alone, or one of an axis whose ticks are `stepMs` apart: as many digits as tell its ticks apart. */
export function formatTime(ms: number, stepMs?: number): string {
  const inSeconds = stepMs === undefined ? Math.abs(ms) >= 1000 : stepMs >= 100;
  const value = inSeconds ? ms / 1000 : ms;
  const step = stepMs === undefined ? 0.001 : stepMs / (inSeconds ? 1000 : 1);
  let digits = 0;
  while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
  return value.toFixed(digits) + (inSeconds ? ' s' : ' ms');
}

/** The tick of an axis whose ticks are `step` apart. Those less than one apart have the digits that tell them apart. */
export function formatTick(value: number, step: number): string {
  if (step >= 1) return formatCompact(value);
  return value.toFixed(Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
}
