// Files that are whole or not there: written beside and renamed, so that a full disk or an end leaves no half of one.
// Knows names and text; not what it is.
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { MicrostunError, messageOf } from '../shared/errors.js';

/**
 * Puts `text` into `file`, in place of what it held; `what` is its name in the complaint.
 * @throws MicrostunError OUTPUT_FAILED; what was in the file is then still in it.
 */
export async function writeWhole(file: string, text: string, what: string): Promise<void> {
  // A pipe, a terminal or /dev/stdout holds nothing that could be lost, and is not to be replaced by a file.
  const isFile = (await stat(file).catch(() => undefined))?.isFile() ?? true;
  const target = await realpath(file).catch(() => file);
  const draft = isFile ? `${target}.${process.pid}.part` : target;
  try {
    const handle = await open(draft, 'w');
    try {
      await handle.writeFile(text);
      // Some disks tell only now that they are full.
      if (isFile) await handle.sync();
    } finally {
      await handle.close();
    }
    if (isFile) await rename(draft, target);
  } catch (error) {
    if (isFile) await rm(draft, { force: true }).catch(() => undefined);
    throw new MicrostunError(
      'OUTPUT_FAILED',
      `${what} could not be written to ${file}: ${messageOf(error)}; give a file in a folder with room that is there`,
      { cause: error },
    );
  }
}
