import { defineConfig } from 'vitest/config';

/** Set by `npm test`, which runs the projects in parts and judges the coverage of all parts together. */
const isPart = process.env['TEST_PART'] === 'true';
/** Ends what hangs, ms. Virtual time does not wait, and a busy machine must not end it. */
const COMPUTES_ONLY_MS = 30_000;

export default defineConfig({
  test: {
    // One kind after the other: processes, browsers and virtual time do not share two cores well.
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,repo,bench}/**/*.test.ts'],
          testTimeout: COMPUTES_ONLY_MS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'scenario',
          include: ['test/scenario/**/*.test.ts'],
          testTimeout: COMPUTES_ONLY_MS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'sim',
          include: ['test/{sim,soak}/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          // Each plays on two threads.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: ['test/support/pack-package.ts'],
          // Bundlers and compilers take seconds, and many times that where the machine is busy.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: [
        'src/shared/**',
        'src/core/**',
        'src/ddp/**',
        'src/server/**',
        'src/sockjs/**',
        'src/meteor/**',
      ],
      reporter: isPart ? [] : [['text', { skipFull: true }], 'json-summary'],
      thresholds: isPart
        ? {}
        : {
            'src/core/**': { lines: 95 },
            'src/ddp/**': { lines: 95 },
            'src/meteor/**': { lines: 95 },
          },
    },
  },
});
