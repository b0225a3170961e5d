// The source's driver with one line of its built text changed, so that a test can show that the simulation drives it.
// Knows files; whatever is below the driver's folder, and beside it, stays as it is.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as driver from '../../src/source/outgoing.js';
import type { BeginOutgoing } from './simulated-source.js';

const DIST = path.join(import.meta.dirname, '../../dist');

/** A replacement in one file of dist/source/; it must match exactly once. */
export interface DriverChange {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Makes migrations of the changed driver. */
export async function plantedDriver({ file, from, to }: DriverChange): Promise<BeginOutgoing> {
  const folder = mkdtempSync(path.join(DIST, 'planted-'));
  try {
    for (const name of readdirSync(path.join(DIST, 'source')).filter((one) => one.endsWith('.js'))) {
      let text = readFileSync(path.join(DIST, 'source', name), 'utf8');
      if (name === file) {
        const parts = text.split(from);
        if (parts.length !== 2)
          throw new Error(`${JSON.stringify(from)} is ${parts.length - 1} times in ${file}: mend the test`);
        text = parts.join(to);
      }
      // What lies in folders below is the product's own; the map is not taken along.
      text = text.replace(/^\/\/# sourceMappingURL=.*$/m, '');
      writeFileSync(path.join(folder, name), text.replace(/from '\.\/([\w-]+)\//g, "from '../source/$1/"));
    }
    const planted = (await import(path.join(folder, 'outgoing.js'))) as typeof driver;
    return (...all) => new planted.OutgoingMigration(...all);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
