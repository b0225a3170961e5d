// Sizes, rates and times as people write them. Refuses what makes no sense, naming the value and what would do.
// A leaf; the command line and the reports share it.
import { MicrostunError } from './errors.js';

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1e6,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1e9,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1e12,
  tib: 1024 ** 4,
  p: 1024 ** 5,
  pb: 1e15,
  pib: 1024 ** 5,
};

const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

const BIT_RATE_UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

const COUNT_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6 };

/** "256MiB" in bytes. */
export function parseSize(text: string): number {
  const bytes = parseQuantity(text, SIZE_UNITS);
  if (bytes === undefined || bytes <= 0 || !Number.isInteger(bytes)) {
    throw new MicrostunError(
      'USAGE',
      `"${text}" is no size; write a whole number of bytes with a unit, such as 256MiB, 1GiB or 24TiB`,
    );
  }
  return bytes;
}

/** A year: longer than any run, and all that a time may be, here and on the wire. More is a slip of the pen. */
export const DURATION_MS_MAX = 8760 * 3_600_000;

/** Clocks count microseconds in whole numbers that a double still tells apart: some 285 years. */
export const INSTANT_US_MAX = 2 ** 53;

/** "10ms" in milliseconds. */
export function parseDurationMs(text: string): number {
  const ms = parseQuantity(text, TIME_UNITS_MS);
  if (ms === undefined) {
    throw new MicrostunError(
      'USAGE',
      `"${text}" is no time; write a number with a unit, such as 500us, 10ms or 2s`,
    );
  }
  if (ms > DURATION_MS_MAX) {
    throw new MicrostunError(
      'USAGE',
      `"${text}" is too long; give at most a year, ${DURATION_MS_MAX / 3_600_000}h`,
    );
  }
  return ms;
}

/** "200Mbit" in bytes a second. */
export function parseBitRate(text: string): number {
  const bits = parseQuantity(text, BIT_RATE_UNITS);
  if (bits === undefined || bits <= 0) {
    throw new MicrostunError(
      'USAGE',
      `"${text}" is no bandwidth; write a number with a unit, such as 200Mbit or 10Gbit`,
    );
  }
  return bits / 8;
}

/** "50k" page writes a second, or "max" for flat out (Infinity). */
export function parseWriteRate(text: string): number {
  if (text.trim().toLowerCase() === 'max') return Infinity;
  const rate = parseQuantity(text, COUNT_UNITS);
  if (rate === undefined) {
    throw new MicrostunError(
      'USAGE',
      `"${text}" is no write rate; write pages a second, such as 50000 or 50k, or max`,
    );
  }
  return rate;
}

/** Parses `host:port` or `[v6]:port`; a port alone means `defaultHost`. */
export function parseAddress(text: string, defaultHost: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]:|([^:\s]*):)?(\d{1,5})$/.exec(text.trim());
  const port = match === null ? NaN : Number(match[3]);
  if (match === null || port > 65535) {
    throw new MicrostunError(
      'USAGE',
      `"${text}" is no address; write host:port with a port up to 65535, such as 127.0.0.1:7000`,
    );
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? defaultHost : host, port };
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-zµμ]*)\s*$/i.exec(text);
  if (match === null) return undefined;
  const unit = match[2]!.toLowerCase();
  const value = Object.hasOwn(units, unit) ? Number(match[1]) * units[unit]! : undefined;
  return value === undefined || !Number.isFinite(value) ? undefined : value;
}

/** Bytes for people: "1.50 GiB". */
export function formatBytes(bytes: number): string {
  const { value, unit } = inUnit(bytes);
  return `${unit === 'B' ? value : toPrecision3(value)} ${unit}`;
}

/**
 * A guest's memory for people: "256 MiB", or "24 TiB, 1 GiB of it resident"; `residentBytes` 0: all of it. What was
 * chosen and not measured needs no decimals that are zero.
 */
export function formatMemory(memoryBytes: number, residentBytes: number): string {
  const chosen = (bytes: number): string => {
    const { value, unit } = inUnit(bytes);
    return Number.isInteger(value) ? `${value} ${unit}` : formatBytes(bytes);
  };
  return residentBytes === 0
    ? chosen(memoryBytes)
    : `${chosen(memoryBytes)}, ${chosen(residentBytes)} of it resident`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

function inUnit(bytes: number): { value: number; unit: (typeof BYTE_UNITS)[number] } {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return { value, unit: BYTE_UNITS[unit]! };
}

/** A duration for people, three digits: "843 µs", "1.20 ms", "3.41 s". */
export function formatMs(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const value = Math.abs(ms);
  if (value < 0.9995) return `${sign}${toPrecision3(value * 1000)} µs`;
  if (value < 999.5) return `${sign}${toPrecision3(value)} ms`;
  return `${sign}${toPrecision3(value / 1000)} s`;
}

/** A count for people: "12,345". */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

function toPrecision3(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  if (value >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}
