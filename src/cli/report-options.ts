// The flags of how a migration is shown, beside standard output: as a file, and live. Values are refused here.
// Knows names and addresses; nothing of what is shown.
import { statSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import { parseAddress } from '../shared/units.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';
import { once } from './flag-values.js';

/** Where the live view is when nothing else is said. */
const DASHBOARD_DEFAULT = { host: '127.0.0.1', port: 7080 } as const;

/** The report as a file. */
export function drawnOptions<T>(yargs: Argv<T>) {
  return yargs.option('report', {
    type: 'string',
    describe: 'Draw the report too, as one HTML file of this name',
    coerce: once(newFile('--report')),
  });
}

/** Flags of how a migration is shown, beside standard output. */
export function reportOptions<T>(yargs: Argv<T>) {
  return drawnOptions(yargs).option('dashboard', {
    type: 'string',
    describe: `Serve a live view of the run, [host:]port (alone: ${formatAddress(DASHBOARD_DEFAULT)})`,
    coerce: once(parseDashboard),
  });
}

/** Nothing, a port of the loopback, or an address. */
function parseDashboard(text: string | boolean): Address {
  if (typeof text !== 'string')
    throw new MicrostunError('USAGE', '--no-dashboard makes no sense; leave out --dashboard');
  return text === '' ? DASHBOARD_DEFAULT : parseAddress(text, DASHBOARD_DEFAULT.host);
}

/** The name of a file that `flag` will write: told now and not after the migration. */
export function newFile(flag: string): (text: string) => string {
  return (text) => {
    const folder = path.dirname(path.resolve(text));
    const isFolder = (name: string): boolean =>
      statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (text === '' || isFolder(text) || !isFolder(folder)) {
      throw new MicrostunError(
        'USAGE',
        `${flag} ${text} names no file that could be written; give a file name in a folder that is there`,
      );
    }
    return text;
  };
}
