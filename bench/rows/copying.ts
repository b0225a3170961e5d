// The rows of copying: round 0 of an idle guest against iperf3 and QEMU, the way until a guest runs there, a guest with a
// hot set against QEMU, and the demo as it is. Each in turn with what it is held against.
import { formatBytes } from '../../src/shared/units.js';
import type { MigrationReport } from '../../src/report/document.js';
import { runDemo } from '../demo.js';
import { atLeast, atMost, figureOf, unknown, type Figure } from '../figures.js';
import { measureLoopback, toolHere } from '../loopback.js';
import { HOW_TO_INSTALL, migrateByQemu, qemuHere, type QemuFigures } from '../qemu.js';
import { median } from '../statistics.js';

const MEMORY_BYTES = 1024 ** 3;
const CONNECTIONS = 2;
const HOT_SET_BYTES = 64 * 1024 ** 2;
const RUNS = 5;
/** QEMU may never converge; so long it is let try. */
const QEMU_MS_MAX = 10_000;
const QEMU_IDLE_MS_MAX = 60_000;

const SIZED = ['--memory', `${MEMORY_BYTES}`, '--connections', `${CONNECTIONS}`, '--no-audit'];
const IDLE = [...SIZED, '--guest', 'uniform', '--write-rate', '0', '--migrate-after', '200ms'];
/** Room for the guest and what lies beside it. */
const RESERVED = ['--reserve', `${MEMORY_BYTES / 2 ** 20 + 64}MiB`];

/** From the start of a migration until its guest runs there. */
function untilRunsMs({ times }: MigrationReport): number {
  return times.preparationMs + times.copyingMs + times.switchOverMs;
}

export async function copyRow(runs = RUNS): Promise<Figure[]> {
  const tool = toolHere();
  const qemu = qemuHere();
  const rates: number[] = [];
  const bareRates: number[] = [];
  const roundsMs: number[] = [];
  const startsMs: number[] = [];
  const theirs: QemuFigures[] = [];
  const reserved = await takesReserve();
  // In turn, so that whatever else the machine does meets all alike.
  for (let run = 0; run < runs; run++) {
    bareRates.push(await measureLoopback(tool, MEMORY_BYTES, CONNECTIONS));
    const { report } = await runDemo([...IDLE, '--mode', 'pre-copy', ...(reserved ? RESERVED : [])]);
    const { sentBytes, durationMs } = report.rounds[0]!;
    rates.push((sentBytes / durationMs) * 1000);
    roundsMs.push(durationMs);
    startsMs.push(untilRunsMs(report));
    if (qemu !== undefined) theirs.push(await idleByQemu());
  }
  const bare = median(bareRates);
  const round0Ms = median(roundsMs);
  const name = tool === 'iperf3' ? 'iperf3' : 'bare sockets (iperf3 is not installed)';
  return [
    figureOf('round 0', 'ms', roundsMs, undefined, `${formatBytes(median(rates))}/s`),
    figureOf(
      '  its rate against the loopback',
      '×',
      rates.map((rate) => rate / bare),
      atLeast(0.8),
      `${name}: ${formatBytes(bare)}/s`,
    ),
    againstQemu('  against QEMU, two streams', roundsMs, theirs),
    figureOf(
      'start until it runs there, by round 0',
      '×',
      startsMs.map((ms) => ms / round0Ms),
      atMost(1.3),
      `${median(startsMs).toFixed(0)} ms${reserved ? ' with --reserve' : '; this destination takes no --reserve'}`,
    ),
  ];
}

const idleByQemu = (): Promise<QemuFigures> =>
  migrateByQemu({
    memoryBytes: MEMORY_BYTES,
    hotSetBytes: 0,
    streams: 2,
    downtimeLimitMs: 300,
    limitMs: QEMU_IDLE_MS_MAX,
  });

function againstQemu(label: string, oursMs: readonly number[], theirs: readonly QemuFigures[]): Figure {
  const goal = atMost(1);
  const qemu = qemuHere();
  if (qemu === undefined) return unknown(label, '×', goal, `QEMU is ${HOW_TO_INSTALL}`);
  const { version, hasKvm } = qemu;
  const how = `QEMU ${version}${hasKvm ? ', KVM' : ', TCG: its guest is translated and writes more slowly'}`;
  const totals = theirs.flatMap(({ totalMs }) => totalMs ?? []);
  if (totals.length === 0)
    return unknown(label, '×', goal, `${how}: did not converge in ${QEMU_MS_MAX / 1000} s`);
  const downtimes = theirs.flatMap(({ downtimeMs }) => downtimeMs ?? []);
  const total = median(totals);
  return figureOf(
    label,
    '×',
    oursMs.map((ms) => ms / total),
    goal,
    `${how}: ${total.toFixed(0)} ms in all, down ${median(downtimes).toFixed(0)} ms`,
  );
}

async function takesReserve(): Promise<boolean> {
  try {
    await runDemo(['--memory', '4MiB', '--migrate-after', '10ms', '--no-audit', '--reserve', '64MiB']);
    return true;
  } catch {
    return false;
  }
}

/** 1 GiB, of which 64 MiB are written flat out. */
export async function hotSetRow(runs = RUNS): Promise<Figure[]> {
  const flags = [
    ...SIZED,
    '--write-rate',
    'max',
    '--hot-set',
    `${HOT_SET_BYTES}`,
    '--migrate-after',
    '300ms',
  ];
  const reports: MigrationReport[] = [];
  const theirs: QemuFigures[] = [];
  const reserved = (await takesReserve()) ? RESERVED : [];
  for (let run = 0; run < runs; run++) {
    reports.push((await runDemo([...flags, ...reserved])).report);
    // One that does not converge is not tried again.
    if (qemuHere() !== undefined && theirs.every(({ totalMs }) => totalMs !== undefined))
      theirs.push(
        await migrateByQemu({
          memoryBytes: MEMORY_BYTES,
          hotSetBytes: HOT_SET_BYTES,
          streams: 1,
          downtimeLimitMs: 10,
          limitMs: QEMU_MS_MAX,
        }),
      );
  }
  const startsMs = reports.map(untilRunsMs);
  return [
    figureOf('start until it runs there', 'ms', startsMs),
    figureOf(
      "  guest's own gap",
      'ms',
      reports.map(({ stun }) => stun.guestGapMs),
    ),
    figureOf(
      '  until all of it is there',
      'ms',
      reports.map(({ totalMs }) => totalMs),
    ),
    againstQemu('  against QEMU, one stream, 10 ms', startsMs, theirs),
  ];
}

/** The demo without a flag, as `npm start` runs it. */
export async function demoRow(runs = RUNS): Promise<Figure[]> {
  const reports: MigrationReport[] = [];
  for (let run = 0; run < runs; run++) reports.push((await runDemo(['--seed', `${run + 1}`])).report);
  return [
    figureOf(
      'total of `npm start`',
      'ms',
      reports.map(({ totalMs }) => totalMs),
      atMost(1200),
    ),
    figureOf(
      '  rounds',
      '',
      reports.map(({ rounds }) => rounds.length),
    ),
    figureOf(
      "  guest's own gap",
      'ms',
      reports.map(({ stun }) => stun.guestGapMs),
    ),
  ];
}
