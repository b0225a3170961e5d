// Plants small changes in the built product, one at a time, and counts those that the tests see.
//
//   node scripts/ensure-built.mjs test/planted/run.mjs [PART OF A FILE'S NAME OR OF A REASON]
//   PLANTED_HALF=0 (or 1) takes every other one.
//
// Each change is made in a copy of dist/ beside a copy of the tests; the tests named with it must fail. The score must not
// fall below SCORE_MIN, and a change whose text is no longer there exactly once is a failure too: mend changes.mjs.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { changes } from './changes.mjs';

const SCORE_MIN = 0.85;
const PARALLEL = 2;
/** A change may make a test run for ever: that is seen as well. */
const RUN_MS_MAX = 120_000;
const BASELINE_MS_MAX = 600_000;

const root = path.resolve(import.meta.dirname, '../..');
const wanted = process.argv[2];
// Of every two, the one that a commit's number says: who is short of time takes half of them.
const half = /^[01]$/.test(process.env.PLANTED_HALF ?? '') ? Number(process.env.PLANTED_HALF) : undefined;
const chosen = changes.filter(
  ({ file, why }, at) =>
    (wanted === undefined || file.includes(wanted) || why.includes(wanted)) &&
    (half === undefined || at % 2 === half),
);
const folder = mkdtempSync(path.join(tmpdir(), 'microstun-planted-'));
const running = new Set();
// Read once: the run takes minutes, and somebody may build meanwhile.
const texts = new Map(chosen.map(({ file }) => [file, readFileSync(path.join(root, 'dist', file), 'utf8')]));
const textOf = (file) => texts.get(file);

process.once('SIGINT', () => void endWith(130));
process.once('SIGTERM', () => void endWith(143));
try {
  process.exitCode = await main();
} finally {
  clean();
}

async function main() {
  const misplaced = chosen.filter(({ file, from }) => textOf(file).split(from).length !== 2);
  for (const { file, from } of misplaced)
    console.log(`is ${textOf(file).split(from).length - 1} times in dist/${file}, and not once: ${from}`);
  const copies = Array.from({ length: PARALLEL }, (_, nth) => copyTo(path.join(folder, String(nth))));

  const tests = [...new Set(chosen.flatMap((change) => change.tests))];
  const baseline = await runTests(copies[0], tests, BASELINE_MS_MAX);
  if (baseline.sees) {
    console.log(`the tests fail without any change:\n${baseline.output.slice(-4000)}`);
    return 1;
  }
  const left = chosen.filter((change) => !misplaced.includes(change));
  const results = [];
  await Promise.all(
    copies.map(async (copy) => {
      for (let change = left.shift(); change !== undefined; change = left.shift()) {
        const { file, from, to, why } = change;
        const target = path.join(copy, 'dist', file);
        const text = textOf(file);
        writeFileSync(
          target,
          text.replace(from, () => to),
        );
        const { sees, seconds } = await runTests(copy, change.tests, RUN_MS_MAX);
        writeFileSync(target, text);
        results.push({ file, why, sees });
        console.log(`${sees ? 'seen    ' : 'NOT SEEN'} ${seconds.toFixed(0).padStart(4)} s  ${file}: ${why}`);
      }
    }),
  );

  const seen = results.filter(({ sees }) => sees).length;
  const score = seen / (results.length || 1);
  const survivors = results.filter(({ sees }) => !sees);
  if (survivors.length > 0) console.log('\nnot seen by any test:');
  for (const { file, why } of survivors) console.log(`  ${file}: ${why}`);
  console.log(
    `\nplanted changes: ${seen} of ${results.length} seen (${(100 * score).toFixed(1)} %), ${misplaced.length} misplaced`,
  );
  return score >= SCORE_MIN && misplaced.length === 0 ? 0 : 1;
}

function copyTo(copy) {
  for (const name of ['dist', 'src', 'test', 'vitest.config.ts', 'package.json', 'tsconfig.json'])
    cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

function runTests(copy, tests, msMax) {
  const from = performance.now();
  const files = tests.map((name) => `test/${name}.test.ts`);
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--bail=1', '--reporter=dot', ...files];
  const child = spawn(process.execPath, args, {
    cwd: copy,
    // A process group of its own: the workers of a run that is stuck end with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SIM_COUNT: '3000', MICROSTUN_PLANTED: '1' },
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-20_000);
    });
  const timer = setTimeout(() => end(child), msMax);
  return new Promise((resolve) => {
    child.once('close', (status) => {
      clearTimeout(timer);
      running.delete(child);
      if (/No test files found/.test(output)) throw new Error(`no such tests: ${files.join(', ')}`);
      resolve({ sees: status !== 0, seconds: (performance.now() - from) / 1000, output });
    });
  });
}

function end(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function clean() {
  for (const child of running) end(child);
  rmSync(folder, { recursive: true, force: true });
}

function endWith(status) {
  clean();
  process.exit(status);
}
