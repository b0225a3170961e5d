// Thousands at a destination's door beside a real migration: they take no more than a bounded number of descriptors and
// of memory, and keep nobody out.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { helloOf } from '../../src/shared/wire/greeting.js';
import { encodeMessage } from '../../src/shared/wire/messages.js';
import { STRANGERS_MAX } from '../../src/shared/limits.js';
import { endAll, reportOf, startDestination, startSource, type CliProcess } from '../support/cli.js';
import { PASS } from '../support/passes.js';
import { Flood, type FloodManner } from '../support/flood.js';

const COUNT = 5000;
/** What a destination has open beside strangers: its own, its guest's threads', and its source's connections. */
const OTHERS_MAX = 200;

const greeting = Buffer.concat(
  encodeMessage(helloOf({ role: 'control', migrationId: PASS.migrationId, ticket: PASS.ticket })),
);
const manners: readonly FloodManner[] = [
  { first: Buffer.alloc(0) },
  { first: Buffer.alloc(0), slowly: greeting },
  { first: greeting.subarray(0, 40), slowly: greeting.subarray(40) },
  { first: greeting.subarray(0, 40), isCut: true },
];

const floods: Flood[] = [];
afterEach(async () => {
  for (const flood of floods.splice(0)) await flood.end();
  await endAll();
});

const descriptorsOf = ({ pid }: CliProcess): number => readdirSync(`/proc/${pid}/fd`).length;
const residentKibOf = ({ pid }: CliProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

/** How many descriptors this process may have. */
function descriptorsMax(): number {
  return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 0);
}

describe.runIf(process.platform === 'linux')('a flood of connections that do not greet', () => {
  it.each(['127.0.0.1', '127.0.0.2'])('from %s keeps no source out and takes little', async (from) => {
    const count = Math.min(COUNT, descriptorsMax() - 500);
    expect(count).toBeGreaterThan(STRANGERS_MAX);
    const { destination, to } = await startDestination(['--run-for', '0ms']);
    const [descriptorsBefore, residentBefore] = [descriptorsOf(destination), residentKibOf(destination)];
    const flood = new Flood({ port: Number(to.split(':')[1]), count, from, manners });
    floods.push(flood);
    await flood.begin();
    expect(descriptorsOf(destination)).toBeLessThan(STRANGERS_MAX + OTHERS_MAX);
    const resident = residentKibOf(destination) - residentBefore;
    // The crowd is of other connections by now; the collector need not have looked at those that went.
    expect(resident).toBeLessThan(256 << 10);
    const source = startSource(to);
    expect(reportOf(await source.ended).audit?.passed).toBe(true);
    expect(flood.made).toBeGreaterThanOrEqual(count);
    expect(descriptorsBefore).toBeLessThan(OTHERS_MAX);
    expect((await destination.ended).status).toBe(0);
  });
});
