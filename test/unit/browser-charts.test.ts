// The charts' arithmetic, which runs in a browser: how their numbers read and between which bounds they are drawn.
import { describe, expect, it } from 'vitest';
import { formatTick, formatTime, formatValue } from '../../src/html/browser/formats.js';
import { barRange, extentOf, linearRange, logRange, plotValues } from '../../src/html/browser/plot-values.js';
import type { Chart } from '../../src/html/charts.js';

const chart = (...values: (number | null)[][]): Chart => ({
  id: 'x',
  kind: 'bars',
  x: values[0]!.map((_, at) => at),
  xLabels: [],
  xTitle: '',
  yTitle: '',
  isLog: false,
  bands: [],
  series: values.map((one) => ({ label: '', colour: 'sent', values: one })),
});

describe('a time in a chart', () => {
  it.each([
    [0, 20, '0 ms'],
    [40, 20, '40 ms'],
    [0.25, 0.25, '0.25 ms'],
    [1500, 100, '1.5 s'],
    [1500, 250, '1.50 s'],
    [2000, 1000, '2 s'],
  ])('of %d ms on an axis of %d ms a tick reads %s', (ms, stepMs, text) => {
    expect(formatTime(ms, stepMs)).toBe(text);
  });

  it('under the pointer has its thousandths', () => {
    expect([12.3456, 999.9, 1234.5].map((ms) => formatTime(ms))).toEqual([
      '12.346 ms',
      '999.900 ms',
      '1.234 s',
    ]);
  });
});

describe('a number in a chart', () => {
  it('is short on an axis, and has the digits that tell ticks apart', () => {
    expect([0, 500, 1500, 2_000_000].map((one) => formatTick(one, 500))).toEqual(['0', '500', '1.5K', '2M']);
    expect([0.25, 0.5].map((one) => formatTick(one, 0.25))).toEqual(['0.3', '0.5']);
    expect(formatTick(0.05, 0.05)).toBe('0.05');
  });

  it('is whole in a legend, unless small values are worth more', () => {
    expect(formatValue(12.345, false)).toBe('12');
    expect(formatValue(12.345, true)).toBe('12.3');
    expect(formatValue(12_345.6, true)).toBe('12,346');
  });
});

describe('the bounds of a chart', () => {
  it('leave nothing out, and begin well below the smallest bar of a logarithmic axis', () => {
    const extent = extentOf(plotValues(chart([3, null, 400], [0, 20, null]), true));
    expect(extent).toEqual({ highest: 400, floor: 1 });
    expect(logRange(extent)).toEqual([1, 520]);
    expect(linearRange(400)[1]).toBeGreaterThan(400);
    expect(barRange(chart([1, 2, 3]))).toEqual([-0.6, 2.6]);
  });

  it('are an axis also where there is nothing', () => {
    const extent = extentOf(plotValues(chart([]), true));
    expect(extent.floor).toBeGreaterThan(0);
    expect(logRange(extent)[1]).toBeGreaterThan(extent.floor);
    expect(linearRange(0)[1]).toBeGreaterThan(0);
    expect(barRange(chart([]))[1]).toBeGreaterThan(0);
  });

  it('have no place for nothing on a logarithmic axis', () => {
    expect(plotValues(chart([0, 5, null]), true)).toEqual([[null, 5, null]]);
    expect(plotValues(chart([0, 5, null]), false)).toEqual([[0, 5, null]]);
  });
});
