// What a guest program's code is, as a hash: the text of its module, and of what that imports by a relative path.
// Reads files and runs none; docs/decisions/0031-guests-that-are-allowed.md says what is not in it, and why.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { MicrostunError } from '../../errors.js';

/** A relative module that an import or export names. */
const IMPORTED = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

export const HASH_DIGITS_SHOWN = 12;

/** Where microstun's own code lies. */
const MICROSTUN = new URL('../../../', import.meta.url).href;

/**
 * SHA-256 of the code of the guest program whose module is at `module`, as it is now: 64 hexadecimal digits. The same on
 * two hosts whose files are the same, wherever they lie. `machine`: the folder of microstun's own code.
 * @throws MicrostunError GUEST_FAILED when a file cannot be read.
 */
export function hashOfCode(module: URL, machine = MICROSTUN): string {
  const folder = new URL('.', module);
  /** By their paths from there. */
  const texts = new Map<string, string>();
  const waiting = [module];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const path = posix.relative(folder.pathname, next.pathname);
    if (texts.has(path)) continue;
    const text = readText(next);
    texts.set(path, text);
    for (const [, specifier] of text.matchAll(IMPORTED)) {
      const imported = new URL(specifier!, next);
      if (isOfProgram(imported, folder, machine)) waiting.push(imported);
    }
  }
  const hash = createHash('sha256');
  for (const path of [...texts.keys()].sort())
    // As JSON: where a name ends and a text begins is beyond doubt.
    hash.update(JSON.stringify([path, texts.get(path)]));
  return hash.digest('hex');
}

/** The beginning of a hash: so much tells two apart for people. */
export function shownHash(hash: string): string {
  return `${hash.slice(0, HASH_DIGITS_SHOWN)}…`;
}

/** Microstun's own above a program is the machine's, which the protocol's version stands for; all else is the program's. */
function isOfProgram({ href }: URL, folder: URL, machine: string): boolean {
  return href.startsWith(folder.href) || !href.startsWith(machine);
}

function readText(file: URL): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new MicrostunError('GUEST_FAILED', `the code of a guest program cannot be read: ${file.pathname}`, {
      cause: error,
    });
  }
}
