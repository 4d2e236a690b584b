/** Cuts a production build of a whole Meteor app down to Meteor's own client. */
import { parseAst } from 'rollup/parseAst';

/** What Meteor's minifier writes beside a bundle. A package's size comes alone, or with those of its modules. */
export interface BundleStats {
  readonly minifiedBytesByPackage: Readonly<
    Record<string, number | readonly [bytes: number, modules: object]>
  >;
}

/** Meteor's packages that an app without a user interface loads, each with what it needs. The order is the bundle's. */
const packages = new Set(
  [
    ['meteor', 'modules-runtime', 'modules', 'babel-runtime', 'promise', 'fetch', 'dynamic-import'],
    [
      'base64',
      'ejson',
      'check',
      'random',
      'tracker',
      'retry',
      'callback-hook',
      'reload',
      'url',
      'localstorage',
    ],
    ['ddp-common', 'socket-stream-client', 'ddp-client', 'ddp'],
    [
      'diff-sequence',
      'geojson-utils',
      'id-map',
      'mongo-id',
      'ordered-dict',
      'minimongo',
      'allow-deny',
      'mongo',
    ],
    ['reactive-var', 'service-configuration', 'sha', 'srp', 'accounts-base', 'accounts-password'],
  ].flat(),
);

/** Of the npm packages that the app has put into `modules`, the one that Meteor's own packages import. */
const npmPackage = '@babel';

/** The minifier puts an empty line between packages. */
const separator = '\n\n';

/**
 * @param bundle `programs/web.browser/HASH.js`
 * @param stats `HASH.stats.json` beside it
 * @throws Error where the bundle is not what its stats say, or a package is not in it
 */
export function cutClient(bundle: Buffer, stats: BundleStats): string {
  const kept: string[] = [];
  const missing = new Set(packages);
  let from = 0;
  for (const [file, size] of Object.entries(stats.minifiedBytesByPackage)) {
    const to = from + (typeof size === 'number' ? size : size[0]);
    const end = to + separator.length;
    if (to !== bundle.length && bundle.toString('utf8', to, end) !== separator)
      throw new Error(`${file} does not end at byte ${to}`);
    const name = /^packages\/(.+)\.js$/.exec(file)?.[1];
    if (name !== undefined && missing.delete(name)) {
      const text = bundle.toString('utf8', from, to);
      kept.push((edits[name] ?? ((whole: string) => whole))(text));
    }
    from = end;
  }
  if (missing.size > 0) throw new Error(`not in the bundle: ${[...missing].join(', ')}`);
  return kept.join('\n');
}

const edits: Record<string, (text: string) => string> = {
  modules: npmPackagesLeftOut,
  'socket-stream-client': sockjsOptional,
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** Keeps one of the app's npm packages; the others are most of the bundle. */
function npmPackagesLeftOut(text: string): string {
  const found = propertiesOf(text, parseAst(text) as unknown as Node, 'node_modules').find(({ properties }) =>
    properties.some(({ name }) => name === npmPackage),
  );
  if (found === undefined) throw new Error(`no ${npmPackage} in the package modules`);
  const kept = found.properties.find(({ name }) => name === npmPackage)!;
  return `${text.slice(0, found.start)}{${text.slice(kept.start, kept.end)}}${text.slice(found.end)}`;
}

/**
 * From 2.0 on, `DISABLE_SOCKJS` in a page's configuration makes the client use plain WebSockets; 1.9 knows it only as an app whose
 * build leaves SockJS out. Here one script is both: without SockJS this client takes the way it always has.
 */
function sockjsOptional(text: string): string {
  const start = /"sockjs-[\d.]+\.js":function \w+\(\w*\)\{/;
  if (!start.test(text)) throw new Error('no SockJS in the package socket-stream-client');
  return text.replace(start, '$&if(__meteor_runtime_config__.DISABLE_SOCKJS)return;');
}

interface ObjectText {
  readonly start: number;
  readonly end: number;
  readonly properties: readonly { readonly name: string; readonly start: number; readonly end: number }[];
}

/** The objects that are the value of a property of that name, not those inside one. */
function propertiesOf(text: string, node: Node, wanted: string): ObjectText[] {
  if (node.type === 'Property') {
    const { key, value } = node as unknown as { key: Node; value: Node };
    if (nameOf(text, key) === wanted && value.type === 'ObjectExpression') {
      const { properties } = value as unknown as { properties: readonly (Node & { key: Node })[] };
      const named = properties.map(({ key: k, start, end }) => ({ name: nameOf(text, k), start, end }));
      return [{ start: value.start, end: value.end, properties: named }];
    }
  }
  const children = Object.values(node).flat() as unknown[];
  return children.filter(isNode).flatMap((child) => propertiesOf(text, child, wanted));
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

const nameOf = (text: string, key: Node): string =>
  text.slice(key.start, key.end).replace(/^["']|["']$/g, '');
