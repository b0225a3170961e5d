// The version of this program, as its package says it.
// Asks for the package by its own name, because built files stand at more than one depth in it (dist/, dist-bench/).
import { createRequire } from 'node:module';

export function packageVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('microstun/package.json') as { readonly version: string }).version;
}
