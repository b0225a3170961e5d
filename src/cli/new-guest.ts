// Makes a folder with a guest of one's own that runs, moves and is tested at once: the template of the package, by a new name.
// Knows files and names; what a guest is, the template shows.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, MicrostunError } from '../shared/errors.js';
import { packageVersion } from './version.js';

/** What the guest is called in the template, and what it needs there. */
const NAME = 'my-guest';
const VERSION = '^0.0.0';

/**
 * Writes a guest called `name` into a new folder of that name in `parent`.
 * @throws MicrostunError USAGE for a bad name or a folder that is there, OUTPUT_FAILED when it cannot be written.
 */
export function makeGuest(name: string, parent = process.cwd()): void {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name))
    throw new MicrostunError(
      'USAGE',
      `"${name}" is no name for a guest; give up to 64 small letters, digits and dashes, a letter first, such as my-guest`,
    );
  const folder = path.join(parent, name);
  const template = fileURLToPath(new URL('../../templates/guest/', import.meta.url));
  try {
    mkdirSync(folder);
    for (const file of readdirSync(template)) {
      const text = readFileSync(path.join(template, file), 'utf8');
      const named = text.replaceAll(NAME, name).replaceAll(VERSION, `^${packageVersion()}`);
      writeFileSync(path.join(folder, file), named);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new MicrostunError('USAGE', `there is a ${name} here already, which stays; give another name`);
    throw new MicrostunError('OUTPUT_FAILED', `${folder} could not be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
