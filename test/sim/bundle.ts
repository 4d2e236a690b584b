import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A fault put into a source of the library: text that must be there, and what stands in its place. */
export interface Patch {
  /** From `src`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * Everything of one simulation in one file: the library as it is, but for two seams. The dialling library gets the virtual page's
 * timers in the place of the globals, and what goes through the state machine is counted on its way.
 */
export async function bundle(outfile: string, patches: readonly Patch[] = []): Promise<void> {
  await build({
    entryPoints: [at('seed.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'error',
    // ejson is CommonJS, and asks for nothing.
    plugins: [seams(patches)],
  });
}

const seams = (patches: readonly Patch[]): Plugin => ({
  name: 'seams',
  setup({ onResolve, onLoad, onEnd }) {
    const used = new Set<Patch>();
    onResolve({ filter: /^reconnecting-websocket$/ }, () => ({
      path: at('../../node_modules/reconnecting-websocket/reconnecting-websocket.ts'),
    }));
    onLoad({ filter: /reconnecting-websocket\.ts$/ }, ({ path }) => ({
      contents: `import { setTimeout, clearTimeout } from ${JSON.stringify(at('world/here.ts'))};\n${readFileSync(path, 'utf8')}`,
      loader: 'ts',
    }));
    onResolve({ filter: /\/machine\.ts$/ }, ({ importer }) =>
      importer.endsWith('/core/link/link.ts') ? { path: at('counted.ts') } : undefined,
    );
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      for (const patch of patches.filter(({ file }) => path.endsWith(`/src/${file}`))) {
        if (contents.split(patch.find).length !== 2)
          throw new Error(`${patch.file} has not one place that says: ${patch.find}`);
        contents = contents.replace(patch.find, () => patch.replace);
        used.add(patch);
      }
      return { contents, loader: 'ts' };
    });
    onEnd(() => {
      for (const patch of patches) if (!used.has(patch)) throw new Error(`no source ${patch.file}`);
    });
  },
});
