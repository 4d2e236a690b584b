/** An app's own tests, run by Jest in jsdom: its module registry and its globals are neither Node's nor a browser's. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { consumerFile, createApp, describeConsumer, runNode, type App } from '../support/packed-package.ts';

describeConsumer('Jest with jsdom', () => {
  let app: App;

  beforeAll(async () => {
    app = await createApp({ sources: 'jest', packages: ['mock-socket'] });
    await app.write(
      'jest.config.json',
      JSON.stringify({
        rootDir: '.',
        testEnvironment: consumerFile('jest-environment-jsdom'),
        testMatch: ['**/*.test.?js'],
        // The sources are plain JavaScript.
        transform: {},
        watchman: false,
      }),
    );
  });
  afterAll(() => app?.remove());

  it.each([
    ['require', 'entries.test.cjs', []],
    ['import', 'entries.test.mjs', ['--experimental-vm-modules']],
  ])('uses every entry by %s', async (_, file, flags) => {
    const jest = [...flags, consumerFile('jest/bin/jest.js'), '--config', 'jest.config.json', '--json', file];
    const results = JSON.parse(await runNode(app, jest)) as object;
    expect(results).toMatchObject({ success: true, numPassedTests: 1 });
  });
});
