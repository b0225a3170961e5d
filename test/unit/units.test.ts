import { describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import {
  DURATION_MS_MAX,
  formatBytes,
  formatCount,
  formatMemory,
  formatMs,
  parseAddress,
  parseBitRate,
  parseDurationMs,
  parseSize,
  parseWriteRate,
} from '../../src/shared/units.js';

/** The refusal is a usage error that repeats what was written and shows what would do. */
function expectUsage(parse: (text: string) => unknown, text: string, remedy: RegExp): void {
  let thrown: unknown;
  try {
    parse(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `"${text}"`).toBeInstanceOf(MicrostunError);
  const { code, message } = thrown as MicrostunError;
  expect(code).toBe('USAGE');
  expect(message).toContain(`"${text}"`);
  expect(message).toMatch(remedy);
}

describe('a size', () => {
  it.each([
    ['4096', 4096],
    ['4096b', 4096],
    ['1k', 1024],
    ['1KB', 1000],
    ['1KiB', 1024],
    ['256MiB', 256 * 1024 ** 2],
    ['256m', 256 * 1024 ** 2],
    ['2mb', 2_000_000],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['4G', 4 * 1024 ** 3],
    ['1gb', 1e9],
    ['24TiB', 24 * 1024 ** 4],
    ['1.5tib', 1.5 * 1024 ** 4],
    ['2tb', 2e12],
    ['4PiB', 2 ** 52],
    ['  64 MiB ', 64 * 1024 ** 2],
  ])('of %s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '',
    ' ',
    '0',
    '-1',
    '1.5',
    '0.1k',
    'MiB',
    '1 2',
    '1e9',
    '0x10',
    '1XiB',
    '1ms',
    'NaN',
    'Infinity',
    '1,5k',
  ])('is refused when it is written "%s"', (text) => {
    expectUsage(parseSize, text, /256MiB/);
  });

  it('is refused for units that only every object has', () => {
    for (const text of ['1constructor', '1toString', '1valueOf']) expectUsage(parseSize, text, /256MiB/);
  });
});

describe('a time', () => {
  it.each([
    ['500us', 0.5],
    ['500µs', 0.5],
    ['10ms', 10],
    ['2s', 2000],
    ['1.5 s', 1500],
    ['0ms', 0],
    ['2m', 120_000],
    ['2min', 120_000],
    ['1H', 3_600_000],
  ])('of %s is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBeCloseTo(ms, 9);
  });

  it.each(['', '10', 'ms', '-1ms', '1d', '10 m s', '1k'])('is refused when it is written "%s"', (text) => {
    expectUsage(parseDurationMs, text, /10ms/);
  });

  it('of a year is the longest', () => {
    expect(parseDurationMs('8760h')).toBe(DURATION_MS_MAX);
    for (const text of ['8760.1h', '99999999h', '999999999999999999s'])
      expectUsage(parseDurationMs, text, /at most a year, 8760h/);
  });
});

describe('a bandwidth', () => {
  it.each([
    ['8bit', 1],
    ['200Mbit', 25e6],
    ['10gbit', 1.25e9],
    ['0.8kbit', 100],
  ])('of %s is %d bytes a second', (text, bytesPerSecond) => {
    expect(parseBitRate(text)).toBeCloseTo(bytesPerSecond, 6);
  });

  it.each(['', '0Mbit', '100', '100MB', '-1Mbit', 'Mbit'])('is refused when it is written "%s"', (text) => {
    expectUsage(parseBitRate, text, /200Mbit/);
  });
});

describe('a write rate', () => {
  it.each([
    ['50000', 50_000],
    ['50k', 50_000],
    ['1.5M', 1_500_000],
    ['0', 0],
    ['max', Infinity],
    [' MAX ', Infinity],
  ])('of %s is %d pages a second', (text, pagesPerSecond) => {
    expect(parseWriteRate(text)).toBe(pagesPerSecond);
  });

  it.each(['', 'fast', '-5', '5kk', '5g', 'maximum'])('is refused when it is written "%s"', (text) => {
    expectUsage(parseWriteRate, text, /50000/);
  });
});

describe('an address', () => {
  it.each([
    ['10.0.0.7:7000', '10.0.0.7', 7000],
    ['vm-host.example:65535', 'vm-host.example', 65535],
    ['7000', 'fallback', 7000],
    [':7000', 'fallback', 7000],
    ['[::1]:0', '::1', 0],
    [' localhost:1 ', 'localhost', 1],
  ])('%s is taken apart', (text, host, port) => {
    expect(parseAddress(text, 'fallback')).toEqual({ host, port });
  });

  it.each([
    '',
    'host',
    'host:',
    'host:65536',
    'host:99999',
    'host:1234567',
    '::1:7000',
    '[::1]',
    'a b:7000',
    'host:-1',
  ])('is refused when it is written "%s"', (text) => {
    expectUsage((one) => parseAddress(one, 'fallback'), text, /127\.0\.0\.1:7000/);
  });
});

describe('a quantity for people', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536 * 1024, '1.50 MiB'],
    [256 * 1024 ** 2, '256 MiB'],
    [10 * 1024 ** 3, '10.0 GiB'],
    [24 * 1024 ** 4, '24.0 TiB'],
    [2048 * 1024 ** 4, '2.00 PiB'],
    [2048 * 1024 ** 5, '2048 PiB'],
  ])('of %d bytes reads %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [256 * 1024 ** 2, 0, '256 MiB'],
    [1024 ** 3, 64 * 1024 ** 2, '1 GiB, 64 MiB of it resident'],
    [24 * 1024 ** 4, 1024 ** 3, '24 TiB, 1 GiB of it resident'],
    [1.5 * 1024 ** 3, 0, '1.50 GiB'],
  ])("of a guest's memory of %d bytes, %d resident, reads %s", (memoryBytes, residentBytes, text) => {
    expect(formatMemory(memoryBytes, residentBytes)).toBe(text);
  });

  it.each([
    [0, '0.00 µs'],
    [0.0005, '0.50 µs'],
    [0.843, '843 µs'],
    [1.2, '1.20 ms'],
    [34.1, '34.1 ms'],
    [3412, '3.41 s'],
    [61_000, '61.0 s'],
    [-0.0123, '-12.3 µs'],
    [-5, '-5.00 ms'],
  ])('of %d ms reads %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });

  it('groups the digits of a count', () => {
    expect(formatCount(12_345)).toBe('12,345');
    expect(formatCount(999.6)).toBe('1,000');
    expect(formatCount(0)).toBe('0');
  });
});
