// The copy rate: round 0 of an idle guest filled with random words, against what the loopback carries without microstun.
import { formatBytes } from '../src/shared/units.js';
import { runDemo } from './demo.js';
import { measureLoopback, toolHere, type Tool } from './loopback.js';
import { median, table } from './statistics.js';

const MEMORY_BYTES = 1024 ** 3;
const CONNECTIONS = 2;
const RUNS = 5;

export interface CopyFigures {
  readonly tool: Tool;
  readonly memoryBytes: number;
  readonly connections: number;
  readonly runs: number;
  /** Bytes a second, medians. */
  readonly round0BytesPerSecond: number;
  readonly loopbackBytesPerSecond: number;
  /** Of the medians: 1 is as fast as the loopback. */
  readonly ratio: number;
}

export async function benchCopy(runs = RUNS): Promise<CopyFigures> {
  const tool = toolHere();
  const flags = ['--guest', 'uniform', '--write-rate', '0', '--memory', `${MEMORY_BYTES}`, '--no-audit'];
  const more = ['--mode', 'pre-copy', '--connections', `${CONNECTIONS}`, '--migrate-after', '200ms'];
  const rates: number[] = [];
  const loopbackRates: number[] = [];
  // In turn, so that whatever else the machine does meets both alike.
  for (let run = 0; run < runs; run++) {
    loopbackRates.push(await measureLoopback(tool, MEMORY_BYTES, CONNECTIONS));
    const { report } = await runDemo([...flags, ...more]);
    const { sentBytes, durationMs } = report.rounds[0]!;
    rates.push((sentBytes / durationMs) * 1000);
  }
  const round0BytesPerSecond = median(rates);
  const loopbackBytesPerSecond = median(loopbackRates);
  return {
    tool,
    memoryBytes: MEMORY_BYTES,
    connections: CONNECTIONS,
    runs,
    round0BytesPerSecond,
    loopbackBytesPerSecond,
    ratio: round0BytesPerSecond / loopbackBytesPerSecond,
  };
}

export function renderCopy(figures: CopyFigures): string {
  const { tool, memoryBytes, connections, runs, round0BytesPerSecond, loopbackBytesPerSecond, ratio } =
    figures;
  return [
    `Copy rate: ${formatBytes(memoryBytes)} idle, ${connections} connections, medians of ${runs} runs in turn`,
    table(
      ['', 'rate', 'ratio'],
      [
        ['round 0', `${formatBytes(round0BytesPerSecond)}/s`, ratio.toFixed(2)],
        [tool === 'iperf3' ? 'iperf3' : 'bare sockets', `${formatBytes(loopbackBytesPerSecond)}/s`, '1'],
      ],
    ),
  ].join('\n');
}
