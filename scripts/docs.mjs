// Writes what docs/ has of the flags and the documents, from the built command line and schemas. With --check it writes
// nothing, and ends with 1 when a file is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { z } from 'zod';
import * as commands from '../dist/cli/command-flags.js';
import { guestOptions } from '../dist/cli/guest-options.js';
import { logicOptions, networkOptions } from '../dist/cli/migration-options.js';
import { commonOptions, patienceOptions } from '../dist/cli/options.js';
import { reportOptions } from '../dist/cli/report-options.js';
import { comparisonDocument } from '../dist/report/comparison/comparison-schema.js';
import { failureReport, migrationReport, reportDocument } from '../dist/report/report-schema.js';

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

const flags = [
  '# Flags',
  '',
  '<!-- Made by `npm run docs` from src/cli/*options.ts and command-flags.ts; a test says when it is stale. -->',
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
    ...(command === 'report'
      ? ['`microstun report RUN`: the file that `--json` or `compare --out` wrote.', '']
      : []),
    ...[...flagsOf(add)]
      .filter(([name]) => !shared.has(name) || (command === 'compare' && name === 'report'))
      .map(line),
  ]),
  '',
].join('\n');

/** The fields of a JSON Schema as a list in a list. */
function fieldsOf(schema, indent = '') {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const { description } = field;
    const [inner, brackets] = insideOf(field);
    const values =
      field.const !== undefined && name !== 'version' ? ` \`${JSON.stringify(field.const)}\`` : '';
    const said = description === undefined ? values : `: ${description}`;
    return [`${indent}- \`${name}${brackets}\`${said}`, ...fieldsOf(inner, `${indent}  `)];
  });
}

/** What is in lists, and beside `null`; and the brackets of the lists. */
function insideOf(field) {
  const inner = field.anyOf?.find(({ type }) => type !== 'null');
  if (inner !== undefined && field.anyOf.some(({ type }) => type === 'null')) return insideOf(inner);
  // A pair's description says what it is a pair of.
  if (field.type !== 'array' || typeof field.items !== 'object') return [field, ''];
  const [item, brackets] = insideOf(field.items);
  return [item, `[]${brackets}`];
}

const schemaOf = (schema, title) => ({ title, ...z.toJSONSchema(schema, { io: 'input', reused: 'inline' }) });
const described = (schema) => fieldsOf(schemaOf(schema, ''));
const report = [
  '# The documents',
  '',
  '<!-- Made by `npm run docs` from src/report/report-schema.ts and src/report/comparison/comparison-schema.ts; a test says when it is stale. -->',
  '',
  'What `--json` prints. Times end in `Ms` or `Us`. As JSON Schema: [report.schema.json](report.schema.json), [comparison.schema.json](comparison.schema.json). A reader lets fields be that it does not know; `version` changes when a field goes or changes its meaning.',
  '',
  '## A migration that completed',
  '',
  ...described(migrationReport),
  '',
  '## A migration that failed',
  '',
  ...described(failureReport),
  '',
  '## A comparison',
  '',
  'What `compare --json` prints; `compare --out` writes it as `comparison`, with all reports beside it.',
  '',
  ...described(comparisonDocument),
  '',
].join('\n');

const json = async (schema, title) =>
  format(JSON.stringify(schemaOf(schema, title)), { parser: 'json', printWidth: 110 });

const files = {
  'docs/flags.md': flags,
  'docs/report.md': report,
  'docs/report.schema.json': await json(reportDocument, 'The report of a migration by microstun'),
  'docs/comparison.schema.json': await json(comparisonDocument, 'A comparison of migrations by microstun'),
};
for (const [name, text] of Object.entries(files)) {
  const file = path.join(root, name);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    console.error(`${name} is stale; run npm run docs`);
    process.exitCode = 1;
  }
}
