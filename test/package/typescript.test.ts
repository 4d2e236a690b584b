/** The package's types as users' compilers see them: its declarations are checked, and nothing else is installed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { consumerFile, createApp, describeConsumer, runNode, type App } from '../support/packed-package.ts';

// ES modules and CommonJS in one program.
const nodenext = {
  module: 'nodenext',
  moduleResolution: 'nodenext',
  files: ['esm.mts', 'cjs.cts', 'require.cts'],
};
const bundler = { module: 'esnext', moduleResolution: 'bundler', files: ['every-entry.ts'] };
// TypeScript's old resolution, which knows no `exports`.
const node10 = { module: 'commonjs', moduleResolution: 'node10', files: ['every-entry.ts'] };

const cases = [
  ['5.0', 'nodenext', nodenext],
  ['5.0', 'bundler', bundler],
  ['5.0', 'node10', node10],
  ['5.4', 'nodenext', nodenext],
  ['5.4', 'bundler', bundler],
  ['5.9', 'nodenext', nodenext],
  ['5.9', 'bundler', bundler],
  // Node's own servers and those of `ws`.
  ['5.9', 'node', { ...nodenext, files: ['node.mts'], types: ['node'] }],
] as const;

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
      target: 'es2020',
      // The oldest that the declarations stand on.
      lib: ['es2020', 'dom'],
      // What is installed for others is not there.
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      // Only TypeScript's own declarations of the browser are taken as they are: they are half the work.
      skipDefaultLibCheck: true,
      noEmit: true,
      ...options,
    };
    await app.write(`tsconfig.${name}.json`, JSON.stringify({ compilerOptions, files }));
    const tsc = consumerFile(`typescript-${version}/lib/tsc.js`);
    return runNode(app, [tsc, '--project', `tsconfig.${name}.json`]);
  }

  it.each(cases)('%s, %s', async (version, name, project) => {
    expect(await compile(version, name, project)).toBe('');
  });
});
