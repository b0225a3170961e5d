// Writes docs/flags.md from the flags of the command line, as they were built. With --check it writes nothing, and ends
// with 1 when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as commands from '../dist/cli/command-flags.js';
import { guestOptions } from '../dist/cli/guest-options.js';
import { logicOptions, networkOptions } from '../dist/cli/migration-options.js';
import { commonOptions, patienceOptions } from '../dist/cli/options.js';
import { reportOptions } from '../dist/cli/report-options.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What `add` tells yargs: flags by name, in order. */
function flagsOf(add) {
  const flags = new Map();
  const recorder = new Proxy(
    {},
    {
      get: (_, method) => (name, definition) => {
        if (method === 'option') flags.set(name, definition);
        return recorder;
      },
    },
  );
  add(recorder);
  return flags;
}

function line([name, { default: standard, describe, choices, demandOption }]) {
  const shown =
    demandOption === true
      ? ' (required)'
      : standard === undefined || describe.includes('(default:')
        ? ''
        : ` (${standard === true ? 'on' : standard === false ? 'off' : `\`${standard}\``})`;
  // The choices are in the text of most flags that have some.
  const words = choices?.every((choice) => describe.includes(choice)) ? undefined : choices;
  const list = words === undefined ? '' : `: ${words.map((word) => `\`${word}\``).join(', ')}`;
  return `- \`--${name}\`${shown}${list}. ${describe}.`.replaceAll('<', '\\<');
}

const groups = [
  ['Guest', 'demo, compare, source', guestOptions],
  ['Migration', 'demo, compare, source; destination with `--forward-to`', logicOptions],
  ['Network', 'demo, compare, source; destination with `--forward-to`', networkOptions],
  ['A guest that is kept', 'source, destination', patienceOptions],
  ['Reports', 'demo, source', reportOptions],
  ['Output', 'demo, compare, source, destination', commonOptions],
];
const shared = new Set(groups.flatMap(([, , add]) => [...flagsOf(add).keys()]));
const own = [
  ['compare', commands.compareFlags],
  ['source', commands.sourceFlags],
  ['destination', commands.destinationFlags],
  ['report', commands.reportFlags],
];

const text = [
  '# Flags',
  '',
  '<!-- Made by `npm run docs` from src/cli/*-options.ts and command-flags.ts; a test says when it is stale. -->',
  '',
  'Sizes take `KiB`, `MiB`, `GiB` (or `kB`, `MB`, `GB`), times `us`, `ms`, `s`, `m`, `h` (a year, `8760h`, at the most), rates `Mbit`, `Gbit`. In brackets: the default.',
  ...groups.flatMap(([title, where, add]) => [
    '',
    `## ${title}`,
    '',
    `Of ${where}.`,
    '',
    ...[...flagsOf(add)].map(line),
  ]),
  ...own.flatMap(([command, add]) => [
    '',
    `## Of \`${command}\` alone`,
    '',
    ...[...flagsOf(add)]
      .filter(([name]) => !shared.has(name) || (command === 'compare' && name === 'report'))
      .map(line),
  ]),
  '',
].join('\n');

const file = path.join(root, 'docs/flags.md');
if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error('docs/flags.md is stale; run npm run docs');
  process.exitCode = 1;
}
