// Writes docs/api/ from the comments of what `import … from 'microstun'` gives. With --check it writes nothing, and ends with 1
// when a page is stale. Either way a name that is public and has no comment, or a link that leads nowhere, is an error.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.join(root, 'docs/api');
const isCheck = process.argv.includes('--check');

const scratch = mkdtempSync(path.join(tmpdir(), 'microstun-api-'));
try {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: [path.join(root, 'src/library/index.ts')],
    tsconfig: path.join(root, 'tsconfig.build.json'),
    name: 'The library',
    readme: 'none',
    // A line number would make every page stale with each change of a file.
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    // What errors inherit from Error, everybody knows.
    excludeExternals: true,
    validation: { notExported: true, invalidLink: true, rewrittenLink: true, notDocumented: true },
    treatWarningsAsErrors: true,
    outputs: [{ name: 'markdown', path: scratch }],
    entryFileName: 'README',
    outputFileStrategy: 'modules',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    parametersFormat: 'table',
    logLevel: 'Warn',
  });
  const project = await app.convert();
  if (project !== undefined) {
    app.validate(project);
    await app.generateOutputs(project);
  }
  if (project === undefined || app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;
  else compare();
} finally {
  rmSync(scratch, { recursive: true });
}

/** Takes over what was written, or says what is stale. */
function compare() {
  const text = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
  const names = new Set([...readdirSync(scratch), ...(existsSync(folder) ? readdirSync(folder) : [])]);
  for (const name of names) {
    const fresh = inOrder(text(path.join(scratch, name)));
    const file = path.join(folder, name);
    if (fresh === text(file)) continue;
    if (isCheck) {
      console.error(`docs/api/${name} is stale; run npm run docs:api`);
      process.exitCode = 1;
    } else if (fresh === undefined) rmSync(file);
    else {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, fresh);
    }
  }
}

/** The compiler orders the members of a union as it met them, anywhere in the program: here they are by the alphabet. */
function inOrder(page) {
  return page
    ?.replaceAll(/`"[^`"]*"`(?: \\\| `"[^`"]*"`)+/g, (union) => union.split(' \\| ').sort().join(' \\| '))
    .replaceAll(/"[^`"\n]*"(?: \| "[^`"\n]*")+/g, (union) => union.split(' | ').sort().join(' | '));
}
