// Builds the program into a folder: the compiler makes what Node runs, the bundler what pages bring to a browser.
// Plain JavaScript, because nothing is built yet when it runs. Each page has one script and one style sheet; they ask for nothing.
//
//   node scripts/build.mjs [FOLDER]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.resolve(root, process.argv[2] ?? 'dist');
const browser = 'src/html/browser';

compile('tsconfig.build.json', '--outDir', folder);
compile(`${browser}/tsconfig.json`);
await bundle(path.join(folder, 'html/browser'));

function compile(project, ...options) {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', project, ...options], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
}

async function bundle(outdir) {
  const library = (file) => readFileSync(path.join(root, 'node_modules/uplot', file), 'utf8');
  const { version } = JSON.parse(library('package.json'));
  await build({
    absWorkingDir: root,
    entryPoints: [
      `${browser}/report-page.ts`,
      `${browser}/live-page.ts`,
      `${browser}/charts-page.css`,
      `${browser}/comparison-page.css`,
    ],
    outdir,
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['chrome120', 'firefox121', 'safari17'],
    legalComments: 'none',
    // The licence of what is bundled asks to be in every copy; a page is one.
    banner: { js: `/*! With uPlot ${version}.\n${library('LICENSE')}*/` },
    logLevel: 'warning',
  });
}
