import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // What takes minutes: only where it is asked for.
    exclude: [...configDefaults.exclude, ...(process.env['SLIPWAY_SLOW'] ? [] : ['test/**/*.slow.*'])],
    // These only guard against hanging: a machine with much else to do is slow, not wrong.
    testTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    // Whichever container test comes first builds the images.
    hookTimeout: 300_000,
    // Tests start the program from source, hundreds of times: what is compiled is kept, so each takes a third of the processor's time.
    env: { NODE_COMPILE_CACHE: new URL('../node_modules/.cache/compiled', import.meta.url).pathname },
    pool: 'forks',
    // Tests start processes, and wait for them as long as they compute: with a third file two cores have always work. What takes
    // minutes measures times, too, and more files at once than cores would make them lie.
    maxWorkers: process.env['SLIPWAY_SLOW'] ? 2 : 3,
  },
});
