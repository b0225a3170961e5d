// The rows of the switch-over: of a guest that is moved back and forth a hundred times, flat out, between two long-lived nodes.
// Its stun in both views, its recovery, its faults against a bare round trip; and the same with more memory or more vCPUs.
import type { MigrationReport, StunParts } from '../../src/report/document.js';
import { stunPartNames } from '../../src/report/stun-parts.js';
import { atMost, figureOf, unknown, type Figure } from '../figures.js';
import { migrateInPair } from '../pair.js';
import { measureRoundTrips } from '../round-trip.js';
import { median, quantileOfSorted } from '../statistics.js';

const FLAT_OUT = ['--guest', 'hot-set', '--write-rate', 'max'];
const HOPS = 100;
const HOPS_OF_SIZES = 10;

/** What the link takes is not our own. */
const NOT_OWN: readonly (keyof StunParts)[] = ['networkMs', 'placementMs'];

export async function switchOverRow(hops = HOPS): Promise<Figure[]> {
  const tripsUs = await measureRoundTrips();
  const { reports } = await migrateInPair(hops, [...FLAT_OUT, '--memory', '256MiB', '--vcpus', '2']);
  tripsUs.push(...(await measureRoundTrips()));
  const gaps = reports.map(({ stun }) => stun.guestGapMs);
  const recoveries = reports.flatMap(({ recovery }) => recovery.recoveryMs ?? []);
  const notRecovered = reports.length - recoveries.length;
  return [
    figureOf("guest's own gap", 'ms', gaps, atMost(0.8)),
    figureOf("guest's own gap, p99", 'ms', gaps, atMost(5), `of ${gaps.length}`, 0.99),
    figureOf('stop to answer', 'ms', stunsOf(reports), atMost(1.2)),
    figureOf('own parts', 'ms', reports.map(ownMsOf), atMost(0.4)),
    ...partFigures(reports),
    ...faultFigures(reports, tripsUs),
    figureOf(
      'recovery to 90 %',
      'ms',
      recoveries,
      atMost(20),
      notRecovered === 0 ? undefined : `${notRecovered} of ${reports.length} are not known to have recovered`,
    ),
  ];
}

function stunsOf(reports: readonly MigrationReport[]): number[] {
  return reports.map(({ stun }) => stun.stunMs);
}

function ownMsOf({ stun }: MigrationReport): number {
  const keys = Object.keys(stun.parts) as (keyof StunParts)[];
  return keys.filter((key) => !NOT_OWN.includes(key)).reduce((total, key) => total + stun.parts[key], 0);
}

function partFigures(reports: readonly MigrationReport[]): Figure[] {
  return (Object.keys(stunPartNames) as (keyof StunParts)[]).map((key) =>
    figureOf(
      `  ${stunPartNames[key]}`,
      'ms',
      reports.map(({ stun }) => stun.parts[key]),
    ),
  );
}

function faultFigures(reports: readonly MigrationReport[], tripsUs: readonly number[]): Figure[] {
  const trip = median(tripsUs);
  const sorted = [...tripsUs].sort((one, other) => one - other);
  const bare = `a bare round trip: ${trip.toFixed(0)} µs, p99 ${quantileOfSorted(sorted, 0.99).toFixed(0)} µs`;
  const faulted = reports.flatMap(({ postcopy }) =>
    postcopy === null || postcopy.remotePageFaults === 0 ? [] : [postcopy.faultLatencyUs],
  );
  if (faulted.length === 0) return [unknown('remote fault', 'µs', atMost(2 * trip), 'no page was asked for')];
  return [
    figureOf(
      'remote fault, p50 of each push',
      'µs',
      faulted.map(({ p50 }) => p50),
      atMost(2 * trip),
      bare,
    ),
    figureOf(
      'remote fault, p99 of each push',
      'µs',
      faulted.map(({ p99 }) => p99),
      atMost(1000),
    ),
  ];
}

/** 2 GiB, and 4 vCPUs, against 256 MiB with 2. */
export async function sizesRow(hops = HOPS_OF_SIZES): Promise<Figure[]> {
  const moved = async (memory: string, vcpus: number): Promise<readonly MigrationReport[]> =>
    (await migrateInPair(hops, [...FLAT_OUT, '--memory', memory, '--vcpus', `${vcpus}`])).reports;
  const base = await moved('256MiB', 2);
  const large = await moved('2GiB', 2);
  const many = await moved('256MiB', 4);
  const gapsOf = (reports: readonly MigrationReport[]): number[] =>
    reports.map(({ stun }) => stun.guestGapMs);
  const baseGap = median(gapsOf(base));
  const against = (name: string, reports: readonly MigrationReport[]): Figure[] => {
    const gaps = gapsOf(reports);
    const ratios = gaps.map((gap) => gap / baseGap);
    return [
      figureOf(`guest's own gap, ${name}`, 'ms', gaps, atMost(3)),
      figureOf('  against 256 MiB, 2 vCPUs', '×', ratios, atMost(1.3), `which has ${baseGap.toFixed(2)} ms`),
      figureOf('  stop to answer', 'ms', stunsOf(reports)),
    ];
  };
  const bitmaps = large.map(({ stun }) => stun.parts.compactionMs);
  return [
    ...against('2 GiB, 2 vCPUs', large),
    ...against('256 MiB, 4 vCPUs', many),
    figureOf('bitmap of 2 GiB', 'ms', bitmaps, atMost(0.3)),
  ];
}
