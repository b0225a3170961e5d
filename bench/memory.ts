// What a migration needs beyond the guest's own memory: the peak of each process, less the guest.
import { formatBytes } from '../src/shared/units.js';
import { runDemo } from './demo.js';
import { median, table } from './statistics.js';

const GUESTS_BYTES = [256 * 1024 ** 2, 1024 ** 3];
const RUNS = 3;

export interface MemoryFigures {
  readonly runs: number;
  readonly guests: readonly {
    readonly memoryBytes: number;
    /** Median of the peaks, less `memoryBytes`. */
    readonly sourceBeyondBytes: number;
    readonly destinationBeyondBytes: number;
  }[];
}

export async function benchMemory(runs = RUNS): Promise<MemoryFigures> {
  const guests = [];
  for (const memoryBytes of GUESTS_BYTES) {
    const flags = ['--memory', `${memoryBytes}`, '--migrate-after', '300ms', '--audit-after', '100ms'];
    const source: number[] = [];
    const destination: number[] = [];
    for (let run = 0; run < runs; run++) {
      const { sourcePeakBytes, destinationPeakBytes } = await runDemo(flags, true);
      if (sourcePeakBytes === 0 || destinationPeakBytes === 0)
        throw new Error('the peak memory of a process cannot be read here; this needs /proc');
      source.push(sourcePeakBytes - memoryBytes);
      destination.push(destinationPeakBytes - memoryBytes);
    }
    guests.push({
      memoryBytes,
      sourceBeyondBytes: median(source),
      destinationBeyondBytes: median(destination),
    });
  }
  return { runs, guests };
}

export function renderMemory({ runs, guests }: MemoryFigures): string {
  return [
    `Memory beyond the guest's own at its peak (Node.js itself included), medians of ${runs} migrations`,
    table(
      ['guest', 'source', 'destination'],
      guests.map(({ memoryBytes, sourceBeyondBytes, destinationBeyondBytes }) => [
        formatBytes(memoryBytes),
        formatBytes(sourceBeyondBytes),
        formatBytes(destinationBeyondBytes),
      ]),
    ),
  ].join('\n');
}
