/** Reads the sources with TypeScript and reports where they break the rules of the house: import direction, and one door to the outside world. */
import { relative } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../../tools/run.ts';

/** A part of the project whose imports run one way. */
interface Building {
  /** The room of a file: a folder, or a file at the top. `path` is below the building's own folder. */
  room(path: string): string;
  /** The rooms each room may import from. A room that is not listed is a finding. */
  mayImport: Readonly<Record<string, readonly string[]>>;
}

/** Inside the core imports run one way: facade → link → rules → api → env. */
const core = ['core/facade', 'core/link', 'core/rules', 'core/api', 'core/env', 'shared'];
const buildings: Readonly<Record<string, Building>> = {
  src: {
    room: (path) => {
      const [folder = '', floor = ''] = path.split('/');
      return folder === 'core' ? `core/${floor}` : folder;
    },
    mayImport: {
      shared: [],
      ...Object.fromEntries(core.slice(0, -1).map((floor, i) => [floor, core.slice(i + 1)])),
      sockjs: core,
      ddp: core,
      meteor: [...core, 'sockjs'],
      server: ['shared'],
      'index.ts': core,
      'script.ts': ['ddp', 'meteor', 'sockjs', 'index.ts'],
    },
  },
  demo: {
    room: (path) => (path.startsWith('control-room/page/') ? 'control-room/page' : path.split('/')[0]!),
    mayImport: {
      'main.ts': ['smoke.ts', 'cluster.ts'],
      'smoke.ts': ['cluster.ts', 'src', 'tools'],
      'cluster.ts': ['control-room', 'cluster', 'net', 'processes', 'tools'],
      'control-room': ['cluster', 'http', 'tools'],
      // Of the programs it starts it needs the options' types.
      cluster: ['node', 'net', 'processes'],
      node: ['store', 'net', 'http', 'processes', 'src'],
      store: ['net', 'processes'],
      net: ['processes'],
      processes: ['tools'],
      http: [],
      app: [],
      'control-room/page': [],
    },
  },
};
/** Rooms whose files a browser loads as they are: it finds no packages. */
const pages = ['app', 'control-room/page'];

/** Packages with one importer each, so that their defects and their replacement concern one file. */
const soleImporter: Record<string, string> = {
  'reconnecting-websocket': 'src/core/link/socket.ts',
  ejson: 'src/ddp/ejson.ts',
};

const door = 'src/core/env/browser.ts';
/** Pure rooms do not even know the door's type. */
const pure = ['core/rules'];
const doorType = 'src/core/env/env.ts';
/** Rooms that are made for one world, a page or Node, and speak to it themselves. */
const ownDoor = ['script.ts', 'server'];

/** Rooms that may warn on the console; ESLint knows that nothing else is said there. */
const warns = ['meteor'];

/** Globals that are the outside world. Other globals compute only, and may be named anywhere. */
const outside = new Set(
  `performance setTimeout clearTimeout setInterval clearInterval setImmediate requestAnimationFrame requestIdleCallback
   WebSocket EventSource XMLHttpRequest fetch Worker SharedWorker BroadcastChannel crypto console reportError
   window self globalThis document navigator location history localStorage sessionStorage indexedDB
   addEventListener removeEventListener dispatchEvent process`.split(/\s+/),
);

/** The building of a file, and its room there. */
function place(file: string): { building: string; room: string } {
  const [building = ''] = file.split('/');
  return { building, room: buildings[building]?.room(file.slice(building.length + 1)) ?? building };
}

/** Checks the sources, or those given in `files` (path from the project's root → text) in their place. */
export function findings(files?: Readonly<Record<string, string>>): string[] {
  const { config } = ts.readConfigFile(`${projectRoot}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const parsed = ts.parseJsonConfigFileContent({ ...config, include: ['src'] }, ts.sys, projectRoot);
  const given =
    files && new Map(Object.entries(files).map(([path, text]) => [`${projectRoot}${path}`, text]));
  const names = given
    ? [...given.keys()]
    : [...parsed.fileNames, ...ts.sys.readDirectory(`${projectRoot}demo`, ['.ts', '.js'])];
  const readFile = (path: string): string | undefined => given?.get(path) ?? ts.sys.readFile(path);

  const found: string[] = [];
  const graph = new Map<string, string[]>();
  const checked = names.filter((name) => relative(projectRoot, name).startsWith('src/'));
  const program = typedProgram(checked, parsed.options, readFile, given);
  for (const name of names) {
    const file = relative(projectRoot, name);
    // Imports need the syntax only; types cost seconds.
    const source =
      program.getSourceFile(name) ?? ts.createSourceFile(name, readFile(name) ?? '', ts.ScriptTarget.ES2022);
    graph.set(file, imports(source, file, parsed.options, found));
    if (checked.includes(name) && file !== door && !ownDoor.includes(place(file).room))
      worldly(source, file, program.getTypeChecker(), found);
  }
  return [...found, ...cycles(graph)];
}

function typedProgram(
  names: readonly string[],
  options: ts.CompilerOptions,
  readFile: (path: string) => string | undefined,
  given?: ReadonlyMap<string, string>,
): ts.Program {
  const host = ts.createCompilerHost(options);
  const { fileExists } = host;
  host.fileExists = (path) => given?.has(path) || fileExists(path);
  host.readFile = readFile;
  return ts.createProgram(names, options, host);
}

/** Reports the imports of a file that the house does not allow; returns the files it imports. */
function imports(
  source: ts.SourceFile,
  file: string,
  options: ts.CompilerOptions,
  found: string[],
): string[] {
  const { building, room } = place(file);
  const mayImport = buildings[building]?.mayImport[room];
  if (mayImport === undefined) found.push(`${file}: the house has no room ${room}`);
  const targets: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier?.startsWith('.')) {
      // A file that exists only in memory cannot be resolved on disk; a relative name has one meaning anyway.
      const target = relative(projectRoot, new URL(specifier, `file://${source.fileName}`).pathname);
      targets.push(target);
      const to = place(target);
      const name = to.building === building ? to.room : to.building;
      if ((to.building !== building || to.room !== room) && !mayImport?.includes(name))
        found.push(`${file}: ${room} may not import ${name}`);
      if (building === 'src' && pure.includes(room) && (target === door || target === doorType))
        found.push(`${file}: ${room} is pure and may not name Env`);
    } else if (specifier !== undefined) checkPackage(specifier, source.fileName, file, options, found);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return targets;
}

function checkPackage(
  specifier: string,
  fileName: string,
  file: string,
  options: ts.CompilerOptions,
  found: string[],
): void {
  const owner = soleImporter[specifier];
  const { building, room } = place(file);
  if (building === 'demo' && pages.includes(room))
    found.push(`${file}: ${room} is a page and cannot import ${specifier}`);
  else if (owner && owner !== file) found.push(`${file}: only ${owner} may import ${specifier}`);
  else if (
    !specifier.startsWith('node:') &&
    !ts.resolveModuleName(specifier, fileName, options, ts.sys).resolvedModule
  )
    found.push(`${file}: unknown package ${specifier}`);
}

function specifierOf(node: ts.Node): string | undefined {
  let specifier: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) specifier = node.moduleSpecifier;
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    specifier = node.argument.literal;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    specifier = node.arguments[0];
  return specifier && ts.isStringLiteralLike(specifier) ? specifier.text : undefined;
}

/** Uses of clock, chance, sockets and page. A local name that hides a global (`document`, in a database's client) is none. */
function worldly(source: ts.SourceFile, file: string, checker: ts.TypeChecker, found: string[]): void {
  const report = (node: ts.Node, what: string): void => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push(`${file}:${line + 1}: ${what} is the outside world's: it comes through Env`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    if (ts.isIdentifier(node) && isGlobal(node, checker)) {
      const { parent } = node;
      const member =
        ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : '';
      const may = node.text === 'console' && warns.includes(place(file).room);
      if (outside.has(node.text) && !may) report(node, node.text);
      else if (node.text === 'Math' && member === 'random') report(node, 'Math.random');
      else if (node.text === 'Date' && (member === 'now' || readsClock(node)))
        report(node, 'the current time');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

const readsClock = ({ parent }: ts.Identifier): boolean =>
  ts.isCallExpression(parent) || (ts.isNewExpression(parent) && !parent.arguments?.length);

function isGlobal(node: ts.Identifier, checker: ts.TypeChecker): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  const symbol = ts.isShorthandPropertyAssignment(parent)
    ? checker.getShorthandAssignmentValueSymbol(parent)
    : checker.getSymbolAtLocation(node);
  if (node.text === 'globalThis') return true;
  const declarations = symbol?.declarations ?? [];
  return (
    declarations.length > 0 && declarations.every((d) => d.getSourceFile().isDeclarationFile && isTopLevel(d))
  );
}

/** Declared as a global, not as a member of one: `{ fetch: … }` names a property of some interface in a library. */
const isTopLevel = (d: ts.Declaration): boolean =>
  ts.isVariableDeclaration(d) ||
  ts.isFunctionDeclaration(d) ||
  ts.isInterfaceDeclaration(d) ||
  ts.isClassDeclaration(d) ||
  ts.isModuleDeclaration(d);

/** Type imports count as well: two files that need each other's types are one thought in two files. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push(`cycle: ${[...path.slice(at), file].join(' → ')}`);
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    graph.get(file)?.forEach(visit);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}
