// The text of the module that holds the compiled kernels.
// Knows the compiler's options; writes nothing.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where the text belongs, below the root. */
export const KERNELS_MODULE = 'src/shared/memory/kernels-binary.ts';

const FOLDER = 'src/shared/memory/assembly';
const OPTIONS = ['-O3', '--noAssert', '--converge', '--runtime', 'stub', '--enable', 'simd'];
const ON_GUEST_MEMORY = [
  '--enable',
  'threads',
  '--importMemory',
  '--noExportMemory',
  '--sharedMemory',
  '--initialMemory',
  '1',
  '--maximumMemory',
  '65536',
];
/** Pages' work and hashes on any guest's memory; bitmaps' on one of their own: room for a block of a million pages. */
const KERNELS = [
  ['PAGES_BINARY', 'pages.ts', ON_GUEST_MEMORY],
  ['HASHES_BINARY', 'hashes.ts', ON_GUEST_MEMORY],
  ['BITMAPS_BINARY', 'bitmaps.ts', ['--initialMemory', '9', '--maximumMemory', '9']],
];

/** Compiles with the AssemblyScript that is installed. */
export async function compileKernels(root) {
  const { main } = await import('assemblyscript/asc');
  const parts = [];
  for (const [name, file, options] of KERNELS) {
    let binary;
    const { error, stderr } = await main([file, '--outFile', 'kernels.wasm', ...OPTIONS, ...options], {
      readFile: (wanted) => sourceOf(path.join(root, FOLDER, wanted)),
      writeFile: (written, contents) => {
        if (path.basename(written) === 'kernels.wasm') binary = contents;
      },
    });
    if (error)
      throw new Error(`the kernels of ${file} do not compile: ${stderr.toString()}`, { cause: error });
    parts.push('', '// prettier-ignore', `export const ${name} = new Uint8Array([`);
    for (let at = 0; at < binary.length; at += 32)
      parts.push(`  ${[...binary.subarray(at, at + 32)].join(', ')},`);
    parts.push(']);');
  }
  return [
    '// The kernels of assembly/ as WebAssembly. Written by `npm run kernels`: change them there.',
    '// Nobody reads this; page-kernels.ts and bitmap-kernels.ts make instances of it.',
    ...parts,
    '',
  ].join('\n');
}

// The compiler asks for every name that an import could mean.
function sourceOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
