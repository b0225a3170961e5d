// Installs and builds what is missing or stale, then runs a script in this same process.
// Plain JavaScript on purpose: it is what makes TypeScript available. Everything it says goes to standard error.
//
//   node scripts/ensure-built.mjs [--bench] SCRIPT [ARGUMENT ...]
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const oldestNode = [20, 19];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
  fail(
    `microstun needs Node.js ${oldestNode.join('.')} or newer; this is ${process.versions.node}. Install a newer Node.js and try again.`,
  );
}

const argv = process.argv.slice(2);
const wantsBench = argv[0] === '--bench';
if (wantsBench) argv.shift();
const script = argv.shift();
if (script === undefined) fail('usage: ensure-built.mjs [--bench] SCRIPT [ARGUMENT ...]');

ensureInstalled();
const builder = 'scripts/build.mjs';
ensureBuilt('dist', ['tsconfig.build.json', builder], ['src'], (fresh) => [builder, fresh]);
if (wantsBench) {
  const project = 'tsconfig.bench.json';
  const compiler = 'node_modules/typescript/bin/tsc';
  ensureBuilt('dist-bench', [project], ['src', 'bench'], (fresh) => [
    compiler,
    '-p',
    project,
    '--outDir',
    fresh,
  ]);
}

const target = path.join(root, script);
process.argv = [process.argv[0], target, ...argv];
await import(pathToFileURL(target).href);

function ensureInstalled() {
  const stamp = path.join(root, 'node_modules', '.microstun-stamp');
  const wanted = digest(['package.json', 'package-lock.json']);
  if (readStamp(stamp) === wanted) return;
  say('installing dependencies …');
  // npm hands its settings down to scripts by environment, the quiet log level among them.
  const npm = process.env.npm_execpath;
  const args = ['ci', '--loglevel=error', '--no-audit', '--no-fund'];
  const [command, commandArgs] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  run(command, commandArgs, 'the dependencies could not be installed; is the npm registry reachable?');
  writeFileSync(stamp, wanted);
}

/** `outDir` is stale when one of `files` changed, or a source below one of `folders`. */
function ensureBuilt(outDir, files, folders, commandOf) {
  const stamp = path.join(root, outDir, '.microstun-stamp');
  const sources = folders.flatMap((folder) => sourcesBelow(folder));
  const wanted = digest(['package-lock.json', 'tsconfig.json', ...files, ...sources]);
  if (readStamp(stamp) === wanted) return;
  say(`building ${outDir} …`);
  // Built beside and moved into place, so that another run never sees half a build.
  const fresh = `${outDir}.${process.pid}`;
  try {
    run(process.execPath, commandOf(fresh), 'the build failed; see the errors above');
    writeFileSync(path.join(root, fresh, '.microstun-stamp'), wanted);
    rmSync(path.join(root, outDir), { recursive: true, force: true });
    renameSync(path.join(root, fresh), path.join(root, outDir));
  } finally {
    rmSync(path.join(root, fresh), { recursive: true, force: true });
  }
}

function sourcesBelow(folder) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .map((name) => path.join(folder, String(name)))
    .filter((name) => /\.(?:ts|css|json)$/.test(name))
    .sort();
}

function digest(names) {
  const hash = createHash('sha256').update(process.versions.modules);
  for (const name of names) hash.update(`\0${name}\0`).update(readFileSync(path.join(root, name)));
  return hash.digest('hex');
}

function readStamp(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function run(command, args, complaint) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) fail(`${complaint} (${result.error.message})`);
  if (result.status !== 0) fail(complaint);
}

function say(text) {
  process.stderr.write(`microstun: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
