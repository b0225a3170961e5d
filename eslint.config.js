// Lint rules: typescript-eslint's strict type-checked set, because a lost promise is the bug of this kind of program,
// and the layering of the source tree (docs/decisions/0001-layout.md) as errors.
import { defineConfig } from 'eslint/config';
import css from '@eslint/css';
import tseslint from 'typescript-eslint';

const commandImport = {
  selector: 'ImportDeclaration[source.value=/cli\\/main/]',
  message: 'Nobody imports a command.',
};
const httpImport = {
  selector: 'ImportDeclaration[source.value=/^(node:)?https?2?$|^@?hono($|.)/]',
  message: 'Only src/cli/dashboard serves HTTP.',
};
const libraryImport = {
  selector: 'ImportDeclaration[source.value=/library\\//]',
  message: 'src/library is what others import; nothing of microstun does.',
};
const promisedTimerImport = {
  selector: 'ImportDeclaration[source.value=/^(node:)?timers(\\/promises)?$/]',
  message: 'A timer above 2^31 ms elapses at once: sleep with src/shared/timers.ts.',
};

const socketImport = {
  name: 'node:net',
  allowTypeImports: true,
  message: 'Only src/shared/wire opens sockets.',
};

/** Timers of a constant time that is not anybody's to choose; all others are src/shared/timers.ts's. */
const constantTimers = ['src/shared/timers.ts', 'src/shared/worker-thread.ts', 'src/shared/wire/sockets.ts'];

/**
 * What must stay whole: closures over the memory or the safepoint and their words, which the optimiser sees as one (the
 * commands of the key-value store among them), and an exhaustive switch over effects.
 */
const wholeFunctions = [
  'src/shared/memory/guest-memory.ts',
  'src/shared/memory/segmented-memory.ts',
  'src/shared/guest/vcpu.ts',
  'src/shared/guest/programs/key-value/*.ts',
  'src/source/performer.ts',
];

export default defineConfig(
  {
    ignores: [
      'test/support/*.mjs',
      'test/planted/',
      'dist/',
      'dist-bench/',
      'node_modules/',
      'scripts/',
      'src/shared/memory/assembly/',
      'eslint.config.js',
    ],
  },
  {
    files: ['**/*.css'],
    plugins: { css },
    language: 'css/css',
    extends: ['css/recommended'],
    rules: {
      // Names of colours are in colours.css, other files use them.
      'css/no-invalid-properties': ['error', { allowUnknownVariables: true }],
      // Where a browser does not know how to wrap prettily, it wraps.
      'css/use-baseline': ['error', { available: 2024, allowPropertyValues: { 'text-wrap': ['pretty'] } }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Index access is checked by the compiler (noUncheckedIndexedAccess); on typed arrays in hot loops `!` is the way to say
      // "in range, by the lines above".
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowNullish: true },
      ],
      '@typescript-eslint/no-empty-object-type': 'off',
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '-worker\\.js$',
              allowTypeImports: true,
              message: 'A worker entry is started by URL, never imported.',
            },
          ],
        },
      ],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', commandImport, libraryImport, httpImport, promisedTimerImport],
    },
  },
  {
    // The live view serves a browser and carries nothing of a migration; it is loaded only for those who ask for it.
    files: ['src/cli/dashboard/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', commandImport, promisedTimerImport],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: constantTimers,
    rules: {
      'no-restricted-globals': [
        'error',
        {
          name: 'setTimeout',
          message: 'A timer above 2^31 ms elapses at once: use after() or sleep() of src/shared/timers.ts.',
        },
      ],
    },
  },
  {
    // A file that wants more holds two ideas; a function that wants more, two steps.
    files: ['src/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 70, IIFEs: true }],
    },
  },
  { files: wholeFunctions, rules: { 'max-lines-per-function': 'off' } },
  layer(
    'src/shared/**/*.ts',
    ['**/source/**', '**/destination/**', '**/report/**', '**/html/**', '**/lab/**', '**/cli/**'],
    'shared never imports a side, what is reported of it, or the command line.',
  ),
  layer(
    'src/source/**/*.ts',
    ['**/destination/**', '**/html/**', '**/cli/**'],
    'A side never imports the other, pages, nor the command line.',
  ),
  layer(
    'src/destination/**/*.ts',
    ['**/source/**', '**/report/**', '**/html/**', '**/lab/**', '**/cli/**'],
    'The destination never imports the other side, reports, pages, the lab, nor the command line.',
  ),
  layer(
    'src/lab/**/*.ts',
    ['**/source/**', '**/destination/**', '**/report/**', '**/html/**', '**/cli/**'],
    'The lab passes bytes on and knows neither side.',
  ),
  layer(
    'src/gateway/**/*.ts',
    [
      '**/source/**',
      '**/destination/**',
      '**/report/**',
      '**/html/**',
      '**/lab/**',
      '**/devices/**',
      '**/guest/**',
      '**/cli/**',
    ],
    'The gateway carries streams and knows neither side, nor what a guest is.',
  ),
  layer(
    'src/report/**/*.ts',
    ['**/source/**', '**/destination/**', '**/wire/**', '**/html/**', '**/lab/**', '**/cli/**'],
    'A report is what was measured: it knows no side, no wire and no page.',
  ),
  layer(
    'src/html/**/*.ts',
    ['**/source/**', '**/destination/**', '**/wire/**', '**/lab/**', '**/cli/**', '**/browser/**'],
    'Pages are drawn from reports and know nothing else; what runs in a browser they take from its bundle.',
  ),
  layer(
    'src/library/**/*.ts',
    ['**/source/**', '**/destination/**', '**/lab/**'],
    'The library starts the command line in processes of its own: it holds no guest and knows no side.',
  ),
  {
    // A browser has nothing of Node, and of this program only what its page tells it.
    files: ['src/html/browser/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!(?:\\./[a-z-]+|\\.\\./(?:islands|charts|live/patch|bitmap/[a-z]+))\\.js$|uplot$)',
              message:
                'What runs in a browser knows its neighbours, uPlot, what its page tells it, and how a bitmap is drawn.',
            },
          ],
        },
      ],
    },
  },
  layer(
    'src/shared/guest/**/*.ts',
    [
      'node:net',
      'node:tls',
      'node:dgram',
      'node:http*',
      '**/wire/**',
      '**/source/**',
      '**/destination/**',
      '**/report/**',
      '**/html/**',
      '**/lab/**',
      '**/cli/**',
    ],
    'A guest does not know that it is being moved, and opens no socket.',
  ),
  layer(
    'src/shared/memory/**/*.ts',
    ['node:*', '**/guest/**', '**/wire/**', '**/report/**', '../*.js', '**/cli/**'],
    'Memory is typed arrays and Atomics only.',
  ),
  {
    // Only the wire opens sockets. (Types of sockets may be named.)
    files: ['src/**/*.ts'],
    ignores: ['src/shared/wire/**', 'src/shared/memory/**', 'src/shared/guest/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [socketImport],
        },
      ],
    },
  },
  {
    // What the command line says over IPC the library knows by its types; nobody else is to know the library, the package's face.
    files: ['src/library/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [socketImport],
          patterns: [
            {
              group: ['**/cli/**'],
              allowTypeImports: true,
              message: 'The library speaks to the command line over IPC, and imports its types only.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
    },
  },
);

function layer(files, group, message) {
  return {
    files: [files],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group, message },
            {
              regex: '-worker\\.js$',
              message: 'A worker entry is started by URL, never imported.',
              allowTypeImports: true,
            },
          ],
        },
      ],
    },
  };
}
