// The package as somebody else gets it: packed, installed into an empty project, compiled against, run, and a guest made with it.
// Needs npm's registry for the dependencies; where that does not answer it is skipped, and says so.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { root } from '../support/cli.js';

const project = mkdtempSync(path.join(tmpdir(), 'microstun-package-'));
let offline = '';
let packed: readonly string[] = [];

/** Nothing of this repository's own settings, such as npm's, goes along. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:npm_|MICROSTUN_|NODE_|VITEST)/i.test(name)),
);

function run(
  command: string,
  args: readonly string[],
  cwd = project,
): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 50_000,
  });
  return { status, text: `${stdout}${stderr}` };
}

function succeeds(command: string, args: readonly string[], cwd = project): string {
  const { status, text } = run(command, args, cwd);
  expect(text === '' || status === 0 ? '' : text).toBe('');
  expect(status).toBe(0);
  return text;
}

function needsPackage(context: TestContext): void {
  context.skip(
    offline !== '',
    `the registry does not answer, so that nothing could be installed: ${offline}`,
  );
}

beforeAll(() => {
  // The scripts would build anew what other tests run.
  const flags = ['--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', project];
  const { stdout } = spawnSync('npm', ['pack', ...flags], { cwd: root, env, encoding: 'utf8' });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = files.map((file) => file.path);
  writeFileSync(path.join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1'];
  const { status, text } = run('npm', [...install, `./${filename}`]);
  if (status === 0) return;
  const isOffline = /E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|TIMEDOUT|CONNRESET|503)|network/i.test(text);
  if (!isOffline) throw new Error(`the package cannot be installed:\n${text}`);
  offline = text.split('\n')[0]!;
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

describe('the package', () => {
  it('holds what is built, its sources for whoever follows a source map, types, documents and the template, nothing else', () => {
    const folders = new Set(packed.map((file) => file.split('/')[0]));
    const known = ['LICENSE', 'README.md', 'package.json', 'dist', 'docs', 'src', 'templates'];
    expect([...folders].filter((folder) => !known.includes(folder!))).toEqual([]);
    for (const file of [
      'dist/library/index.js',
      'dist/library/index.d.ts',
      'dist/html/browser/report-page.js',
    ])
      expect(packed).toContain(file);
    expect(packed.filter((file) => /\.test\.|tsbuildinfo|-stamp$|\/assembly\//.test(file))).toEqual([
      'templates/guest/guest.test.js',
    ]);
    // Each map leads to a source that is there.
    const maps = packed.filter((file) => file.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(500);
    for (const map of maps) {
      const { sources } = JSON.parse(readFileSync(path.join(root, map), 'utf8')) as { sources: string[] };
      for (const source of sources)
        expect(packed).toContain(path.posix.normalize(path.posix.join(path.posix.dirname(map), source)));
    }
  });

  it('is typed strictly, and the program in docs/library.md migrates a guest with it', (context) => {
    needsPackage(context);
    const guide = readFileSync(path.join(root, 'docs/library.md'), 'utf8');
    const program = /```ts\n(.*?)```/s.exec(guide)?.[1];
    writeFileSync(path.join(project, 'program.ts'), program!);
    const compilerOptions = {
      ...{ target: 'ES2022', lib: ['ES2024'], module: 'NodeNext', types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ noPropertyAccessFromIndexSignature: true, verbatimModuleSyntax: true, skipLibCheck: false },
      typeRoots: [path.join(root, 'node_modules/@types')],
    };
    const settings = JSON.stringify({ compilerOptions, files: ['program.ts'] });
    writeFileSync(path.join(project, 'tsconfig.json'), settings);
    succeeds(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', project]);
    const said = succeeds(process.execPath, ['program.js']);
    expect(said).toMatch(/^0\.0 ms: connecting\n/);
    expect(said).toMatch(/^round 0: 16384 pages$/m);
    expect(said).toContain('Migrated guest "hot-set"');
    expect(said).toContain('Audit: passed');
  });

  it('does nothing when it is imported, whole or what the code of a guest needs', (context) => {
    needsPackage(context);
    const program =
      "import 'microstun'; import { record } from 'microstun/guest'; console.log(typeof record);";
    expect(succeeds(process.execPath, ['--input-type=module', '--eval', program])).toBe('function\n');
  });

  it('brings the command line along', (context) => {
    needsPackage(context);
    const quick = ['--memory', '8MiB', '--migrate-after', '50ms', '--audit-after', '50ms'];
    expect(succeeds('npx', ['--no-install', 'microstun', 'demo', ...quick])).toContain('Audit: passed');
  });
});

describe('a new guest', () => {
  it('runs, moves and is tested at once, by the name that it was given', (context) => {
    needsPackage(context);
    const made = succeeds('npx', ['--no-install', 'microstun', 'new-guest', 'first-steps']);
    expect(made).toContain('first-steps/guest.js');
    const folder = path.join(project, 'first-steps');
    const started = succeeds('npm', ['start'], folder);
    expect(started).toContain('Migrated guest "first-steps" (16 MiB, 1 vCPU)');
    expect(started).toContain('Audit: passed, 4,096 pages');
    expect(succeeds('npm', ['test'], folder)).toMatch(/pass 2\b/);
  });

  it('is not made where there is something by its name, nor by a name that is none', (context) => {
    needsPackage(context);
    mkdirSync(path.join(project, 'taken'));
    const refused = run('npx', ['--no-install', 'microstun', 'new-guest', 'taken']);
    expect(refused).toMatchObject({ status: 2 });
    expect(refused.text).toContain('there is a taken here already');
    const wrong = run('npx', ['--no-install', 'microstun', 'new-guest', '../above']);
    expect(wrong).toMatchObject({ status: 2 });
    expect(wrong.text).toContain('"../above" is no name for a guest');
    expect(existsSync(path.join(path.dirname(project), 'above'))).toBe(false);
  });
});
