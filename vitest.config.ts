// Tests import from src/ and run what was built in dist/: workers are started from built files, and both must be one.
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

/** Whole migrations by the dozen, browsers, every cell of a matrix: minutes, and not for every day. */
const long = [
  'test/e2e/bitmap-zoom.test.ts',
  'test/e2e/compare.test.ts',
  'test/e2e/fault-matrix.test.ts',
  'test/e2e/flood.test.ts',
  'test/e2e/guest-processes.test.ts',
  'test/e2e/hostile-peers.test.ts',
  'test/e2e/html-report.test.ts',
  'test/e2e/ledger-moves.test.ts',
  'test/e2e/link.test.ts',
  'test/e2e/live-view.test.ts',
  'test/e2e/package.test.ts',
  'test/e2e/report.test.ts',
  'test/e2e/source-dials.test.ts',
  'test/e2e/stopped-peer.test.ts',
  'test/e2e/there-and-back.test.ts',
  'test/fuzz/sides.test.ts',
];
/** Of every day, but gone through more widely by the long tests. */
const wider = [
  'test/e2e/devices.test.ts',
  'test/e2e/key-value.test.ts',
  'test/e2e/gateway.test.ts',
  'test/e2e/guest-endings.test.ts',
  'test/e2e/guest-say.test.ts',
  'test/fuzz/grammar.test.ts',
  'test/fuzz/streams.test.ts',
  'test/unit/real-interleavings.test.ts',
  'test/unit/real-interleavings-segments.test.ts',
  'test/unit/simulation.test.ts',
];
const isLong = process.env['MICROSTUN_TESTS'] === 'long';
const chosen = isLong ? [...long, ...wider] : ['test/**/*.test.ts'];

/** One thread has nearly all of the work in each of these, or they mostly wait: as many side by side as there are cores. */
const beside = [
  'test/unit/**/*.test.ts',
  'test/fuzz/grammar.test.ts',
  'test/fuzz/streams.test.ts',
  'test/e2e/bad-input.test.ts',
  'test/e2e/destination.test.ts',
  'test/e2e/doors.test.ts',
  'test/e2e/guest-modules.test.ts',
  'test/e2e/held-lock.test.ts',
  'test/e2e/outputs.test.ts',
  'test/e2e/permission.test.ts',
  'test/e2e/usage.test.ts',
];
const longBeside = [
  ...wider.filter((file) => file.startsWith('test/unit/') || file.startsWith('test/fuzz/')),
  'test/e2e/bitmap-zoom.test.ts',
  'test/e2e/html-report.test.ts',
  'test/e2e/link.test.ts',
  'test/e2e/live-view.test.ts',
  'test/e2e/package.test.ts',
  'test/e2e/source-dials.test.ts',
  'test/e2e/stopped-peer.test.ts',
  'test/e2e/there-and-back.test.ts',
];
/** Whoever starts many runs of the tests has the cores busy already. */
const workers = process.env['MICROSTUN_PLANTED'] === undefined ? availableParallelism() : 1;

export default defineConfig({
  plugins: [
    {
      name: 'src-to-dist',
      enforce: 'pre',
      resolveId(source, importer) {
        if (importer === undefined || !source.startsWith('.')) return null;
        const target = path.resolve(path.dirname(importer), source);
        const inSrc = path.relative(path.join(root, 'src'), target);
        // What runs in a browser is bundled, not compiled file by file: its parts are tested as they are.
        const isBrowser = inSrc.startsWith(path.join('html', 'browser'));
        return inSrc.startsWith('..') || isBrowser ? null : path.join(root, 'dist', inSrc);
      },
    },
  ],
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'beside',
          include: isLong ? longBeside : beside,
          maxWorkers: workers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: chosen,
          exclude: isLong ? longBeside : [...beside, ...long],
          // Two cores: whole migrations side by side would only measure each other.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
