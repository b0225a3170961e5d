// Entry of the process that reads what a guest's module says of its guest: loads it, tells, and is ended.
// Nobody imports this file; read-facts.ts starts it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../errors.js';
import { factsOf } from './define-guest.js';
import { importGuest, speakAtOnce } from './guest-module.js';
import type { FactsNotice } from './read-facts.js';

const tell = (notice: FactsNotice): void => {
  process.send?.(notice);
};

speakAtOnce();
const module = process.argv[2] ?? '';
try {
  tell({ facts: factsOf(await importGuest(module)) });
} catch (error) {
  tell({ failure: `${messageOf(error)}${whereOf(error)}` });
}

/** Where a syntax error is in the module: Node says it to whoever reads its standard error, and to nobody else. */
function whereOf(error: unknown): string {
  if (!(error instanceof Error && error.cause instanceof SyntaxError)) return '';
  const { stderr } = spawnSync(process.execPath, ['--check', fileURLToPath(module)], { encoding: 'utf8' });
  const [where = ''] = stderr.split('\n');
  return /:\d+$/.test(where) ? ` (line ${where.split(':').at(-1)})` : '';
}
