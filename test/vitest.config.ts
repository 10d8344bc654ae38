import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Whichever container test comes first builds the images.
    hookTimeout: 120_000,
    pool: 'forks',
    // Tests start processes; more files at once than cores makes their time-outs lie.
    maxWorkers: 2,
  },
});
