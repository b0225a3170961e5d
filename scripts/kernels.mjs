// Compiles the kernels of src/shared/memory/assembly from AssemblyScript into the module that the program imports.
// Run by hand when they change; the result is checked in, and a test compiles them again and compares.
//
//   node scripts/kernels.mjs
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileKernels, KERNELS_MODULE } from './kernels-compiler.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
writeFileSync(path.join(root, KERNELS_MODULE), await compileKernels(root));
