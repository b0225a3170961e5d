// Tests import from src/ and run what was built in dist/: workers are started from built files, and both must be one.
import path from 'node:path';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

export default defineConfig({
  plugins: [
    {
      name: 'src-to-dist',
      enforce: 'pre',
      resolveId(source, importer) {
        if (importer === undefined || !source.startsWith('.')) return null;
        const target = path.resolve(path.dirname(importer), source);
        const inSrc = path.relative(path.join(root, 'src'), target);
        return inSrc.startsWith('..') ? null : path.join(root, 'dist', inSrc);
      },
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: whole migrations side by side would only measure each other.
    fileParallelism: false,
    pool: 'forks',
  },
});
