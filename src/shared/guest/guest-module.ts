// A guest's module, a file that people bring: found, loaded, and made a program of. Each mistake is told with its file.
// Loads code on the thread that asks; whoever must not be taken along asks read-facts.ts.
import { existsSync, realpathSync, statSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { messageOf, MicrostunError } from '../errors.js';
import { refuseUnreadable } from '../permission.js';
import { checkProgram, factsOf, type GuestDefinition } from './define-guest.js';
import type { GuestProgram, GuestSpec } from './guest-program.js';
import { loadFailure } from './loading.js';

/** Whether `--guest` and `--allow-guest` mean a file by it, and not one of the built-in guests. */
export function isModulePath(text: string): boolean {
  return /^\.{0,2}\//.test(text) || /\.(?:js|mjs|ts)$/.test(text);
}

/**
 * The module in the file at `path`, as a URL.
 * @throws MicrostunError USAGE when there is none, it may not be read, or this Node cannot load it.
 */
export function moduleAt(path: string): string {
  refuseUnreadable(path);
  if (!existsSync(path) || !statSync(path).isFile())
    throw new MicrostunError('USAGE', `there is no file ${path}; give the path of a guest's module`);
  const { typescript } = process.features as { readonly typescript?: unknown };
  if (path.endsWith('.ts') && (typescript === undefined || typescript === false))
    throw new MicrostunError(
      'USAGE',
      `Node ${process.versions.node} does not run TypeScript, such as ${path}; compile it to JavaScript, or take Node 22.18 or later`,
    );
  return pathToFileURL(realpathSync(path)).href;
}

/** What a guest is called whose module does not say it. */
export function baseNameOf(module: string): string {
  return basename(fileURLToPath(module));
}

/**
 * Loads what `module` exports by default.
 * @throws MicrostunError GUEST_FAILED naming the file and what is wrong.
 */
export async function importGuest(module: string): Promise<GuestDefinition> {
  const exported = await importDefault(module);
  try {
    factsOf(exported);
  } catch (error) {
    throw loadFailure(module, messageOf(error), error);
  }
  return exported as GuestDefinition;
}

/**
 * Loads `module` and makes the program for `spec`.
 * @throws MicrostunError GUEST_FAILED naming the file and what is wrong.
 */
export async function programOfModule(module: string, spec: GuestSpec): Promise<GuestProgram> {
  speakAtOnce();
  const definition = await importGuest(module);
  if (definition.create === undefined) return definition;
  try {
    return checkProgram(definition.create(spec));
  } catch (error) {
    throw loadFailure(module, `its create(spec) failed: ${messageOf(error)}`, error);
  }
}

async function importDefault(module: string): Promise<unknown> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw loadFailure(module, `it could not be loaded: ${describe(error)}`, error);
  }
  if (!('default' in exported))
    throw loadFailure(module, 'it has no default export; it ends with export default defineGuest({ … })');
  return exported['default'];
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/**
 * What this thread's guest says by `console` goes to standard error, at once: standard output is the report's, and a vCPU
 * returns to no event loop that would carry it on.
 */
export function speakAtOnce(): void {
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        writeSync(2, chunk);
      } catch {
        // Nobody reads it, or not fast enough: the guest goes on.
      }
      done();
    },
  });
  globalThis.console = new Console(out, out);
}
