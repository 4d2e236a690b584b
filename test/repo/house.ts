/** Reads the sources with TypeScript and says where they break the rules of the house: who may import whom, and the one door to the outside world. */
import { relative } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../../tools/run.ts';

/** Each room of `src` (a folder, a floor of `core`, or a file at the top) and the rooms it may import from. A room that is not listed is a finding. */
const core = ['core/facade', 'core/link', 'core/rules', 'core/api', 'core/env', 'shared'];
const mayImport: Record<string, readonly string[]> = {
  shared: [],
  // Inside the core one way down: facade → link → rules → api → env.
  ...Object.fromEntries(core.slice(0, -1).map((floor, i) => [floor, core.slice(i + 1)])),
  sockjs: core,
  ddp: core,
  meteor: [...core, 'sockjs'],
  server: ['shared'],
  'index.ts': core,
  'script.ts': ['ddp', 'meteor', 'sockjs', 'index.ts'],
};

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

function room(file: string): string {
  const [, folder = file, floor = ''] = file.split('/');
  return folder === 'core' ? `core/${floor}` : folder;
}

/** The sources, or those given in `files` (path from the project's root → text) in their place. */
export function findings(files?: Readonly<Record<string, string>>): string[] {
  const { config } = ts.readConfigFile(`${projectRoot}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const parsed = ts.parseJsonConfigFileContent({ ...config, include: ['src'] }, ts.sys, projectRoot);
  const host = ts.createCompilerHost(parsed.options);
  let names = parsed.fileNames;
  if (files) {
    const given = new Map(Object.entries(files).map(([path, text]) => [`${projectRoot}${path}`, text]));
    const { fileExists, readFile } = host;
    host.fileExists = (path) => given.has(path) || fileExists(path);
    host.readFile = (path) => given.get(path) ?? readFile(path);
    names = [...given.keys()];
  }
  const program = ts.createProgram(names, parsed.options, host);
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const name of names) {
    const source = program.getSourceFile(name)!;
    const file = relative(projectRoot, name);
    graph.set(file, imports(source, file, program, found));
    if (file !== door && !ownDoor.includes(room(file)))
      worldly(source, file, program.getTypeChecker(), found);
  }
  return [...found, ...cycles(graph)];
}

function imports(source: ts.SourceFile, file: string, program: ts.Program, found: string[]): string[] {
  const targets: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      const { resolvedModule } = ts.resolveModuleName(
        specifier,
        source.fileName,
        program.getCompilerOptions(),
        ts.sys,
      );
      if (specifier.startsWith('.')) {
        // A file that exists only in memory cannot be resolved on disk; a relative name has one meaning anyway.
        const target = relative(projectRoot, new URL(specifier, `file://${source.fileName}`).pathname);
        targets.push(target);
        const from = room(file);
        const to = room(target);
        if (from !== to && !mayImport[from]?.includes(to))
          found.push(`${file}: ${from} may not import ${to}`);
        if (pure.includes(from) && (target === door || target === doorType))
          found.push(`${file}: ${from} is pure and may not name Env`);
      } else {
        const owner = soleImporter[specifier];
        if (owner && owner !== file) found.push(`${file}: only ${owner} may import ${specifier}`);
        else if (!resolvedModule && !specifier.startsWith('node:'))
          found.push(`${file}: unknown package ${specifier}`);
      }
    }
    ts.forEachChild(node, visit);
  };
  if (!(room(file) in mayImport)) found.push(`${file}: the house has no room ${room(file)}`);
  visit(source);
  return targets;
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
      const may = node.text === 'console' && warns.includes(room(file));
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
