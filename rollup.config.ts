import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import type { OutputOptions, Plugin, RollupOptions } from 'rollup';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';
import { minify } from 'terser';
import ts from 'typescript';

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as Manifest;
const external = Object.keys(manifest.dependencies);

const target = 'es2022';
const input = {
  index: 'src/index.ts',
  ddp: 'src/ddp/index.ts',
  meteor: 'src/meteor/index.ts',
  sockjs: 'src/sockjs/index.ts',
  server: 'src/server/index.ts',
};
const require = createRequire(import.meta.url);

/**
 * What of the two built-in libraries is never reached from here. No minifier can know that a method is dead, and they are
 * a fifth of the entry's size; both are pinned to exact versions, and the package and browser tests run what is left.
 */
const builtIn: Record<string, { file: string; dead: string[]; skipped: string[]; exports?: string }> = {
  'reconnecting-websocket': {
    // Its TypeScript source, which needs none of the ES5 helpers of its builds.
    file: join(dirname(require.resolve('reconnecting-websocket/package.json')), 'reconnecting-websocket.ts'),
    dead: words(`
      reconnect send dispatchEvent addEventListener removeEventListener onopen onmessage onerror onclose
      retryCount bufferedAmount extensions protocol url readyState CONNECTING OPEN CLOSING CLOSED
      _debug _handleTimeout _addListeners _removeListeners _listeners _handleOpen _handleMessage _handleError _handleClose
      _callEventListener _acceptOpen _disconnect _messageQueue _uptimeTimeout DEFAULT
      _connectLock _shouldReconnect _retryCount _connectTimeout _clearTimeouts
      getGlobalWebSocket()
    `),
    // Its URL is always a function, its class always ours, it dials once, and a closed socket may be closed again.
    skipped: [
      'this._connectLock || !this._shouldReconnect',
      'this._retryCount >= maxRetries',
      'this._options.startClosed',
      '!isWebSocket(WebSocket)',
      'this._ws.readyState === this.CLOSED',
      'this._retryCount > 0',
      "typeof urlProvider === 'string'",
      "typeof url === 'string'",
    ],
  },
  eventemitter3: {
    file: require.resolve('eventemitter3'),
    dead: words('eventNames emit listenerCount removeAllListeners addListener prefixed EventEmitter context'),
    skipped: [
      // Without it names are kept with a prefix, as in the engines before 2012 it was made for.
      'Object.create',
      "'undefined' !== typeof module",
      // Listeners are called as functions.
      '(!context || listeners.context === context)',
      '(context && listeners.context !== context)',
      '(context && listeners[i].context !== context)',
    ],
    exports: 'EventEmitter',
  },
};

/** Takes the built-in libraries in without their dead methods and with their private names shortened. */
function slim(): Plugin {
  return {
    name: 'slim',
    resolveId: (id) => builtIn[id]?.file ?? null,
    async transform(code, id) {
      const library = Object.values(builtIn).find(({ file }) => file === id);
      if (!library && !/node_modules.*\.ts$/.test(id)) return null;
      // A module of its own scope, so that the minifier sees what is left over.
      const tail = library?.exports ? `\nexport default ${library.exports};` : '';
      const { outputText } = ts.transpileModule((library ? without(library, code) : code) + tail, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      const slimmed = await minify(outputText, {
        module: true,
        mangle: { properties: { regex: /^_(?!_)/ } },
        // Its licence stands whole in dist/LICENSES.txt.
        format: { comments: false },
      });
      return { code: slimmed.code!, map: { mappings: '' } };
    },
  };
}

/**
 * The source without the members, calls and constants of the given names, and without the defaults
 * of a dead constant: each option that has one is passed. And without the `if`s and operands whose condition is to be skipped.
 */
function without({ dead, skipped }: { dead: string[]; skipped: string[] }, code: string): string {
  const cuts: { pos: number; end: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isBindingElement(node) &&
      node.initializer &&
      dead.includes(node.initializer.getText().split('.')[0]!)
    )
      return void cuts.push({ pos: node.name.end, end: node.initializer.end });
    if (ts.isIfStatement(node) && skipped.includes(node.expression.getText())) return void cuts.push(node);
    if (ts.isBinaryExpression(node) && skipped.includes(node.right.getText())) {
      visit(node.left);
      return void cuts.push({ pos: node.left.end, end: node.right.end });
    }
    const { expression } = ts.isExpressionStatement(node) ? node : {};
    const called = expression && ts.isCallExpression(expression) ? expression.expression : undefined;
    const assigned =
      expression && ts.isBinaryExpression(expression)
        ? expression.left
        : expression && ts.isPostfixUnaryExpression(expression)
          ? expression.operand
          : undefined;
    const name =
      ts.isVariableStatement(node) && ts.isSourceFile(node.parent)
        ? node.declarationList.declarations[0]!.name
        : ts.isClassElement(node)
          ? node.name
          : (memberName(called, 'this') ?? memberName(assigned, ''));
    if (name && dead.includes(name.getText())) cuts.push(node);
    else ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('library.ts', code, ts.ScriptTarget.Latest, true));
  return cuts.reduceRight((rest, { pos, end }) => rest.slice(0, pos) + rest.slice(end), code);
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

const memberName = (node: ts.Node | undefined, owner: string): ts.Node | undefined =>
  node && ts.isPropertyAccessExpression(node) && node.expression.getText().endsWith(owner)
    ? node.name
    : undefined;

/** Long names that never leave their room: shortened, and the build stops if one of them turns up in another or in public types. */
const internal: Readonly<Record<string, readonly string[]>> = {
  core: words(`
    abandoned addedDelayMs asked connection native socket where detach given heard opened rws touched adopted announcedSpreadMs beat confirmed deadlineMs decidedAt dialled dueAt engine
    failedAt failuresInRow fastFailures firstHeardAt freeAbandons freshPath handover heardAt lastUrl loopback maxAbandons
    memory openTimeoutMs openedAt outage overdueAt proven released sentAt setBinaryType shaken smoothed
    timeouts tokens unanswered untouchedMs variance
    askOther evidence expectingSince failure handingOver laneFrom held keep parting last ping leaks lonely failed ended threw current nodeInUse prefer promote promoted
    quickestMs replay state tookMs
    connectionTimeout maxEnqueuedMessages maxReconnectionDelay maxRetries minReconnectionDelay minUptime
    reconnectionDelayGrowFactor
  `),
  ddp: words(`
    again awaited caughtUp epoch greeting hold holders leaving nextId offending pending revive settle settled
    store unsent
  `),
};
/** One of them as a member: after a dot, in a pattern or literal, or before a colon or parenthesis; not as a word in a text. */
const asMember = (names: readonly string[]) =>
  new RegExp(`(?:\\.|[{,]\\s*)(?:${names.join('|')})\\b|\\b(?:${names.join('|')})\\??[:(]`);

/** Terser: 3 % smaller than esbuild's own, and what a bundler adds later starts from there. */
function small(): Plugin {
  return {
    name: 'small',
    async renderChunk(code, chunk, { format }) {
      const names = Object.entries(internal).flatMap(([room, own]) =>
        chunk.moduleIds.some((id) => id.includes(`/src/${room}/`)) ? own : [],
      );
      const { code: result, map } = await minify(
        { [chunk.fileName]: code },
        {
          module: format !== 'iife',
          ecma: 2020,
          compress: { passes: 3, pure_getters: true, keep_fargs: false },
          mangle: {
            keep_classnames: /^(Failover|DDP)/,
            properties: names.length > 0 && { builtins: true, regex: new RegExp(`^(${names.join('|')})$`) },
          },
          keep_classnames: /^(Failover|DDP)/,
          sourceMap: { asObject: true },
        },
      );
      return { code: result!, map: map as never };
    },
  };
}

/** Guards `internal`: nothing of it in the public types, nor in another room. */
function privacy(): Plugin {
  const refuse = (text: string, where: string): void => {
    for (const [room, names] of Object.entries(internal)) {
      if (where.startsWith(`src/${room}/`)) continue;
      // Comments may use any word.
      const found = asMember(names).exec(text.replace(/\/\*[^]*?\*\/|\/\/.*/g, ''));
      if (found)
        throw new Error(`rollup.config.ts: "${found[0]}" is in \`internal.${room}\`, but ${where} uses it`);
    }
  };
  return {
    name: 'privacy',
    buildStart() {
      for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' }))
        if (file.endsWith('.ts')) refuse(readFileSync(`src/${file}`, 'utf8'), `src/${file}`);
    },
    generateBundle(_, bundle) {
      for (const [name, chunk] of Object.entries(bundle))
        if (chunk.type === 'chunk') refuse(chunk.code, name);
    },
  };
}

/** All entries share one core, so that a class is the same whichever entry it was imported from. */
function output(format: 'es' | 'cjs', extension: string): OutputOptions {
  const types = extension.startsWith('.d');
  return {
    dir: 'dist',
    format,
    entryFileNames: `[name]${extension}`,
    chunkFileNames: `[name]${extension}`,
    manualChunks: (id) => (/\/src\/core\/|\/node_modules\//.test(id) ? 'core' : undefined),
    minifyInternalExports: false,
    sourcemap: !types,
    // ejson is CommonJS for Node and bundlers alike, but bundlers may still treat its default in either way.
    interop: 'auto',
    plugins: types ? [] : [small()],
  };
}

const plugins = [
  slim(),
  resolve({ browser: true }),
  commonjs({ strictRequires: false }),
  esbuild({ target }),
];
/** The licences of what is built in, whole, beside the code. */
const licences: Plugin = {
  name: 'licences',
  generateBundle() {
    const texts = Object.keys(builtIn).map((name) => {
      const folder = dirname(require.resolve(`${name}/package.json`));
      return `${name}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8')}`;
    });
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: texts.join('\n\n') });
  },
};
const clean: Plugin = { name: 'clean', buildStart: () => rmSync('dist', { recursive: true, force: true }) };

const config: RollupOptions[] = [
  {
    input,
    external,
    plugins: [clean, licences, ...plugins],
    output: [output('es', '.js'), output('cjs', '.cjs')],
  },
  {
    input: 'src/script.ts',
    plugins,
    output: {
      file: 'dist/failover-websocket.global.js',
      format: 'iife',
      name: 'failover',
      sourcemap: true,
      plugins: [small()],
      banner: `/*! failover-websocket ${manifest.version} | MIT | with ${[...Object.keys(builtIn), ...external].join(', ')} (MIT) */`,
    },
  },
  {
    input,
    external,
    plugins: [dts(), privacy()],
    output: [output('es', '.d.ts'), output('es', '.d.cts')],
  },
];

export default config;
