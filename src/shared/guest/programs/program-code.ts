// What a guest program's code is, as a hash: the text of its module, and of what that imports beside or below itself.
// Reads files and runs none; docs/decisions/0031-guests-that-are-allowed.md says what is not in it, and why.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MicrostunError } from '../../errors.js';

/** A relative module that an import or export names. */
const IMPORTED = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

/**
 * SHA-256 of the code of the guest program whose module is at `module`, as it is now: 64 hexadecimal digits. The same on
 * two hosts whose files are the same, wherever they lie.
 * @throws MicrostunError GUEST_FAILED when a file cannot be read.
 */
export function hashOfCode(module: URL): string {
  const folder = new URL('.', module).href;
  const texts = new Map<string, string>();
  const waiting = [module];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (texts.has(next.href)) continue;
    const text = readText(next);
    texts.set(next.href, text);
    for (const [, path] of text.matchAll(IMPORTED)) {
      const imported = new URL(path!, next);
      // What lies above is the machine's, which the protocol's version stands for.
      if (imported.href.startsWith(folder)) waiting.push(imported);
    }
  }
  const hash = createHash('sha256');
  for (const href of [...texts.keys()].sort())
    // As JSON: where a name ends and a text begins is beyond doubt.
    hash.update(JSON.stringify([href.slice(folder.length), texts.get(href)]));
  return hash.digest('hex');
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
