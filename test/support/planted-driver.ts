// A side's driver with one line of its built text changed, so that a test can show that the simulation drives it.
// Knows files; whatever is below the driver's folder, and beside it, stays as it is.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as destination from '../../src/destination/incoming.js';
import type * as source from '../../src/source/outgoing.js';
import type { BeginIncoming } from './simulated-destination.js';
import type { BeginOutgoing } from './simulated-source.js';

const DIST = path.join(import.meta.dirname, '../../dist');

/** A replacement in one file of the side's folder; it must match exactly once. */
export interface DriverChange {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Makes migrations of the source's changed driver. */
export async function plantedSource(change: DriverChange): Promise<BeginOutgoing> {
  const planted = (await plantedModule('source', 'outgoing.js', change)) as typeof source;
  return (...all) => new planted.OutgoingMigration(...all);
}

/** Makes migrations of the destination's changed driver. */
export async function plantedDestination(change: DriverChange): Promise<BeginIncoming> {
  const planted = (await plantedModule('destination', 'incoming.js', change)) as typeof destination;
  return (...all) => new planted.IncomingMigration(...all);
}

async function plantedModule(side: string, main: string, { file, from, to }: DriverChange): Promise<unknown> {
  const folder = mkdtempSync(path.join(DIST, 'planted-'));
  try {
    for (const name of readdirSync(path.join(DIST, side)).filter((one) => one.endsWith('.js'))) {
      let text = readFileSync(path.join(DIST, side, name), 'utf8');
      if (name === file) {
        const parts = text.split(from);
        if (parts.length !== 2)
          throw new Error(`${JSON.stringify(from)} is ${parts.length - 1} times in ${file}: mend the test`);
        text = parts.join(to);
      }
      // What lies in folders below is the product's own; the map is not taken along.
      text = text.replace(/^\/\/# sourceMappingURL=.*$/m, '');
      writeFileSync(path.join(folder, name), text.replace(/from '\.\/([\w-]+)\//g, `from '../${side}/$1/`));
    }
    return await import(path.join(folder, main));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
