/** The package's types as users' compilers see them: no library check is skipped, and nothing but the package is there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consumerFile, createApp, describeConsumer, runNode, type App } from '../support/packed-package.ts';

const versions = ['5.0', '5.4', '5.9'];

const modes = {
  // ES modules and CommonJS in one program.
  nodenext: {
    module: 'nodenext',
    moduleResolution: 'nodenext',
    files: ['esm.mts', 'cjs.cts', 'require.cts'],
  },
  bundler: { module: 'esnext', moduleResolution: 'bundler', files: ['every-entry.ts'] },
  // TypeScript's old resolution, which knows no `exports`.
  node10: { module: 'commonjs', moduleResolution: 'node10', files: ['every-entry.ts'] },
};

interface Project {
  module: string;
  moduleResolution: string;
  files: readonly string[];
  types?: readonly string[];
}

describeConsumer('TypeScript', () => {
  let app: App;

  beforeAll(async () => {
    app = await createApp({ sources: 'types', packages: ['@types/node', '@types/ws', 'undici-types'] });
    const source = await readFile(join(app.folder, 'every-entry.ts'), 'utf8');
    await app.write('esm.mts', source);
    await app.write('cjs.cts', source);
  });
  afterAll(() => app?.remove());

  /** Rejects with the compiler's findings, if there are any. */
  async function compile(version: string, name: string, { files, ...options }: Project): Promise<string> {
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022', 'dom'],
      // What is installed for others is not there.
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      ...options,
    };
    await app.write(`tsconfig.${name}.json`, JSON.stringify({ compilerOptions, files }));
    const tsc = consumerFile(`typescript-${version}/lib/tsc.js`);
    return runNode(app, [tsc, '--project', `tsconfig.${name}.json`], { timeoutMs: 50_000 });
  }

  describe.each(versions)('%s', (version) => {
    it.each(Object.entries(modes))('%s', async (name, mode) => {
      expect(await compile(version, name, mode)).toBe('');
    });
  });

  it('takes Node’s own servers and those of ws', async () => {
    const { module, moduleResolution } = modes.nodenext;
    const project = { module, moduleResolution, files: ['node.mts'], types: ['node'] };
    expect(await compile('5.9', 'node', project)).toBe('');
  });
});
