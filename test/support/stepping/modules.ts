// Loads built modules in their stepping form, each with its imports. Knows files; the
// text may be changed on the way, so that a test can show that it sees a change of the product.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';
import { RUNTIME_NAMES, toSteppingModule } from './transform.js';

/** A replacement in one built file; it must match exactly once. */
export interface TextChange {
  /** Below dist/, for example `source/tracer/tracer.js`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export type Exports = Record<string, unknown>;
export type Runtime = Record<(typeof RUNTIME_NAMES)[number], unknown>;

export const DIST = path.join(import.meta.dirname, '../../../dist');

export interface SteppingModules {
  /** The exports of a file below dist/. */
  load(file: string): Exports;
}

/** A loader; `replaced` stands in for whole modules (file below dist/ → exports). */
export function steppingModules(
  runtime: Runtime,
  replaced: Readonly<Record<string, Exports>> = {},
  changes: readonly TextChange[] = [],
): SteppingModules {
  const loaded = new Map<string, Exports>();
  const nodeRequire = createRequire(import.meta.url);
  const load = (file: string): Exports => {
    const known = replaced[file] ?? loaded.get(file);
    if (known !== undefined) return known;
    const exports: Exports = {};
    loaded.set(file, exports);
    const require = (name: string): unknown =>
      name.startsWith('.') ? load(path.join(path.dirname(file), name)) : nodeRequire(name);
    const run = compiled(file, changes);
    run(exports, require, ...RUNTIME_NAMES.map((name) => runtime[name]));
    return exports;
  };
  return { load };
}

type Compiled = (exports: Exports, require: (name: string) => unknown, ...runtime: unknown[]) => void;
const cache = new Map<string, Compiled>();

function compiled(file: string, changes: readonly TextChange[]): Compiled {
  let text = readFileSync(path.join(DIST, file), 'utf8');
  for (const change of changes) if (change.file === file) text = changed(text, change);
  const key = `${file}\0${text}`;
  let known = cache.get(key);
  if (known === undefined) {
    const parameters = ['exports', 'require', ...RUNTIME_NAMES].join(', ');
    const body = toSteppingModule(text, file);
    known = new Script(`(function (${parameters}) {${body}\n})`, {
      filename: `stepping/${file}`,
    }).runInThisContext() as Compiled;
    cache.set(key, known);
  }
  return known;
}

function changed(text: string, { file, from, to }: TextChange): string {
  const parts = text.split(from);
  if (parts.length !== 2)
    throw new Error(`${JSON.stringify(from)} is ${parts.length - 1} times in dist/${file}: mend the test`);
  return parts.join(to);
}
