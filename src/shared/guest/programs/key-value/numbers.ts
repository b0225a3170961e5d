// Numbers as Redis reads and writes them: whole ones of 64 bits, scores, and decimals that are added exactly.
// Pure; of bytes it knows digits.

const MINUS = 45;
const ZERO = 48;
/** Whole numbers of so many digits are doubles for sure. */
const SURE_DIGITS = 15;

export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

/** A whole number within 64 bits, without blanks, plus signs or zeros before it; NaN when it is none. Large ones are rounded. */
export function parseInteger(bytes: Uint8Array, from: number, byteCount: number): number {
  const isNegative = byteCount > 1 && bytes[from] === MINUS;
  const first = isNegative ? from + 1 : from;
  const end = from + byteCount;
  const digits = end - first;
  if (digits < 1 || digits > 19) return NaN;
  if (bytes[first] === ZERO) return digits === 1 && !isNegative ? 0 : NaN;
  let value = 0;
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  if (digits > SURE_DIGITS && parseLong(bytes, from, byteCount) === undefined) return NaN;
  return isNegative ? -value : value;
}

/** The same, exactly; undefined when it is none. */
export function parseLong(bytes: Uint8Array, from: number, byteCount: number): bigint | undefined {
  const text = textOf(bytes, from, byteCount);
  if (!/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= INT64_MIN && value <= INT64_MAX ? value : undefined;
}

export function textOf(bytes: Uint8Array, from: number, byteCount: number): string {
  let text = '';
  for (let at = from; at < from + byteCount; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** A score: a decimal that is not too large, or an infinity; NaN when it is neither. */
export function parseScore(text: string): number {
  const score = parseBound(text);
  return Number.isFinite(score) || INFINITE.test(text) ? score : NaN;
}

/** The end of a range of scores: as a score, but what is too large for one is infinite. */
export function parseBound(text: string): number {
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity;
  return DECIMAL.test(text) ? Number(text) : NaN;
}

/** A score with as few digits as tell it from all others. */
export function scoreText(score: number): string {
  if (score === Infinity) return 'inf';
  if (score === -Infinity) return '-inf';
  if (Object.is(score, -0)) return '-0';
  const text = String(score);
  if (!text.includes('e') || Math.abs(score) >= 1e21) return text;
  return text.replace(/e-(\d)$/, 'e-0$1');
}

/** Digits after the point that a sum keeps, as Redis does. */
const PLACES = 17;
const DIGITS_MAX = 400;

/** The sum of two decimals, without an exponent and without zeros at its end; undefined when one is none, or beyond reach. */
export function addDecimals(left: string, right: string): string | undefined {
  const a = scaled(left);
  const b = scaled(right);
  if (a === undefined || b === undefined) return undefined;
  const sum = a + b;
  const digits = (sum < 0n ? -sum : sum).toString().padStart(PLACES + 1, '0');
  const fraction = digits.slice(-PLACES).replace(/0+$/, '');
  const whole = digits.slice(0, -PLACES);
  return `${sum < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A decimal times 10^PLACES, rounded. */
function scaled(text: string): bigint | undefined {
  if (!DECIMAL.test(text) || text.length > DIGITS_MAX) return undefined;
  const [mantissa, exponentText = '0'] = text.toLowerCase().split('e');
  const isNegative = mantissa!.startsWith('-');
  const [whole, fraction = ''] = mantissa!.replace(/^[+-]/, '').split('.');
  const shift = Number(exponentText) - fraction.length + PLACES;
  if (Math.abs(shift) > DIGITS_MAX) return shift < 0 ? 0n : undefined;
  const digits = BigInt(`${whole}${fraction}` || '0');
  const divisor = 10n ** BigInt(Math.max(0, -shift));
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : (digits + divisor / 2n) / divisor;
  return isNegative ? -value : value;
}
