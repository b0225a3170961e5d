// The memory that --reserve keeps for guests, and what is said of it.
// Knows no migration; how it is touched, given and cleared is the destination's.
import type { Logger } from 'pino';
import { MemoryReserve } from '../destination/memory/reserve.js';
import { formatBytes } from '../shared/units.js';
import type { Progress } from './progress.js';

/**
 * Reserves `bytes`, if any are asked for; says so, and says when they are touched.
 * @throws MicrostunError INSUFFICIENT_MEMORY.
 */
export function reservedMemory(
  bytes: number | undefined,
  progress: Pick<Progress, 'say'>,
  logger: Logger,
): MemoryReserve | undefined {
  if (bytes === undefined) return undefined;
  const from = performance.now();
  const reserve = new MemoryReserve(bytes, process.availableMemory(), {
    touched: () => {
      const ms = Math.round(performance.now() - from);
      logger.info({ bytes, ms }, `${formatBytes(bytes)} are reserved for guests and touched`);
    },
    failed: (error) => {
      logger.warn(`guests get memory of their own from now on: ${error.message}`);
    },
  });
  progress.say(`reserves ${formatBytes(bytes)} of memory for guests`);
  return reserve;
}
