import { describe, expect, it } from 'vitest';
import { acrossVcpus, meanThroughput, sampleStride, timelineOf } from '../../src/shared/guest/samples.js';

/** Two vCPUs, a row every 10 ms: the first writes 100 pages in each, the second 50 and stalls. */
const rows = Float64Array.from(
  Array.from({ length: 5 }, (_, row) => [10_000 * row, 100 * row, 5, 50 * row, 1000 * row]).flat(),
);

describe('a timeline', () => {
  it('has the throughput and the longest stall of each vCPU between each two samples', () => {
    expect(timelineOf(rows, 2, 20_000)).toEqual({
      atMs: [-10, 0, 10, 20],
      pagesPerSecond: [Array(4).fill(10_000), Array(4).fill(5000)],
      longestStallMs: [Array(4).fill(0.005), [1, 2, 3, 4]],
    });
  });

  it('leaves out a row that is cut short, and one that took no time', () => {
    expect(timelineOf(rows.subarray(0, 3 * sampleStride(2) - 1), 2, 0).atMs).toEqual([10]);
    const twice = Float64Array.from([...rows.subarray(0, 5), ...rows.subarray(0, 5)]);
    expect(timelineOf(twice, 2, 0).atMs).toEqual([]);
    expect(timelineOf(new Float64Array(0), 3, 0)).toEqual({
      atMs: [],
      pagesPerSecond: [[], [], []],
      longestStallMs: [[], [], []],
    });
  });

  it('is joined across vCPUs: throughput adds up, of stalls the longest counts', () => {
    expect(acrossVcpus(timelineOf(rows, 2, 0))).toEqual({
      pagesPerSecond: Array(4).fill(15_000),
      longestStallMs: [1, 2, 3, 4],
    });
  });

  it('has a mean over what was sampled within two instants', () => {
    const timeline = {
      atMs: [0, 10, 30, 40],
      pagesPerSecond: [[9e9, 1000, 4000, 9e9]],
      longestStallMs: [[0, 0, 0, 0]],
    };
    expect(meanThroughput(timeline, 0, 39)).toBe(3000);
    expect(meanThroughput(timeline, 31, 39)).toBeNull();
  });
});
