/**
 * Takes the code blocks out of the README and the docs and checks each of them.
 *
 * - `ts`, `tsx`, `js` and the scripts in `html`, `vue` and `svelte` blocks are type-checked in one program, each as a module of its
 *   own, with `failover-websocket` standing for `src`.
 * - `json` is parsed (a block of several lines may be one JSON text a line).
 * - `sh` may run npm scripts that exist, commands that are installed, and a few that every machine has.
 * - `text` is for drawings only. Any other language is a finding: no block goes unchecked.
 *
 * What a block may take for granted stands in an HTML comment in front of it, which readers do not see, and holds for the rest of
 * the page: `<!-- given` … `-->` with declarations. A block that declares one of these names itself does not get it.
 */
import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { projectRoot } from '../../tools/run.ts';
import { ambient } from './docs-ambient.ts';

export interface Block {
  /** Path of the page, from the project's root. */
  readonly page: string;
  /** Of the fence. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** Declarations that the page gives to its blocks. */
  readonly given: string;
}

const FENCE = /^( *)(```+)(\S*)[^\n]*\n([\s\S]*?)^\1\2 *$/;
const GIVEN = /^ *<!-- given\n([\s\S]*?)-->/;

/** Every block of a page, in order. */
export function blocksIn(page: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  let given = '';
  for (let at = 0, line = 1; at < markdown.length;) {
    const rest = markdown.slice(at);
    const [taken = rest.slice(0, rest.indexOf('\n') + 1) || rest, ...parts] =
      new RegExp(`${FENCE.source}|${GIVEN.source}`, 'm').exec(nextAt(rest)) ?? [];
    const [indent, , language, code, declarations] = parts;
    if (declarations !== undefined) given = declarations;
    else if (code !== undefined)
      blocks.push({ page, line, language: language!, code: outdent(code, indent!), given });
    at += taken.length;
    line += taken.split('\n').length - 1;
  }
  return blocks;
}

/** The text, if a fence or a comment begins with it; else nothing that could match. */
const nextAt = (rest: string): string => (/^ *(```|<!-- given)/.test(rest) ? rest : '');

const outdent = (code: string, indent: string): string => code.replaceAll(new RegExp(`^${indent}`, 'gm'), '');

const packageJson = JSON.parse(readFileSync(`${projectRoot}package.json`, 'utf8')) as {
  name: string;
  bin?: Record<string, string>;
  scripts: Record<string, string>;
  exports: Record<string, unknown>;
  devDependencies: Record<string, string>;
};

/** A file that exists in memory only. */
interface Module {
  readonly block: Block;
  readonly text: string;
}

/** One line for each fault: `page:line: what is wrong`. */
export function faultsIn(blocks: readonly Block[]): string[] {
  const modules = new Map<string, Module>();
  const faults: string[] = [];
  for (const block of blocks) {
    const at = `${block.page}:${block.line}`;
    const fault = (text: string) => faults.push(`${at}: ${text}`);
    const add = (ending: string, text: string) => {
      const id = modules.size;
      const taken = given(block.given, text);
      // Declarations are TypeScript's: a JavaScript block imports the values among them.
      let inherited = taken.map((statement) => statement.getText()).join('\n');
      if (ending === 'js') {
        const names = taken.filter((statement) => !isTypeOnly(statement)).flatMap(namesIn);
        const exported = taken.map(exportedText).join('\n');
        modules.set(`${projectRoot}docs-given-${id}.ts`, { block, text: exported });
        inherited = `import { ${names.join(', ')} } from './docs-given-${id}.ts';`;
      }
      modules.set(`${projectRoot}docs-block-${id}.${ending}`, {
        block,
        text: `${text}\n;${inherited}\nexport {};\n`,
      });
    };
    switch (block.language) {
      case 'ts':
      case 'tsx':
      case 'js':
        add(block.language, block.code);
        break;
      case 'html':
      case 'vue':
      case 'svelte':
        checkMarkup(block, fault, add);
        break;
      case 'json':
        if (!isJson(block.code)) fault('no JSON');
        break;
      case 'sh':
        for (const line of block.code.split('\n')) checkCommand(line, fault);
        break;
      case 'text':
        if (!/[─→│]/.test(block.code)) fault('a text block that is no drawing');
        break;
      default:
        fault(`a block in ${block.language || 'no language'}, which nothing checks`);
    }
  }
  return [...faults, ...typeFaults(modules)];
}

function isJson(text: string): boolean {
  const parses = (json: string) => {
    try {
      JSON.parse(json);
      return true;
    } catch {
      return false;
    }
  };
  return parses(text) || text.trim().split('\n').every(parses);
}

/** The inline scripts are one module: on a page they see each other. A script that is loaded must be a file of the package. */
function checkMarkup(
  { code, language }: Block,
  fault: (text: string) => void,
  add: (ending: string, text: string) => void,
): void {
  let ending = 'js';
  let text = '';
  let last = 0;
  for (const match of code.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)) {
    const [whole, attributes, inner] = match;
    const source = /\bsrc="(?:[^"]*\/)?([^"/]+)"/.exec(attributes!)?.[1];
    if (source !== undefined && source !== 'failover-websocket.global.js')
      fault(`${source} is not a file of the package`);
    if (/lang="ts"/.test(attributes!)) ending = 'ts';
    // Lines keep their numbers.
    const start = match.index + whole.indexOf('>') + 1;
    text += code.slice(last, start).replaceAll(/[^\n]/g, '') + inner!;
    last = start + inner!.length;
  }
  if (/<script/.test(code.replaceAll(/<script[\s\S]*?<\/script>/g, ''))) fault('a script that does not end');
  if (language === 'svelte') text = text.replaceAll('$props()', "JSON.parse('')");
  if (text.trim() !== '') add(ending, text);
}

/** Programs that the docs may name without having them here. */
const ELSEWHERE = ['meteor', 'docker', 'curl', 'node', 'openssl', 'cd', 'cp'];

function checkCommand(line: string, fault: (text: string) => void): void {
  for (const command of line.replace(/(^|\s)#.*/, '').split(/&&|\|\|?|;/)) {
    const words = command.trim().split(/\s+/);
    while (/^\w+=/.test(words[0]!)) words.shift();
    if (words[0] === 'meteor') words.shift();
    const [program = '', verb = '', ...rest] = words;
    if (program === '' || ELSEWHERE.includes(program)) continue;
    if (program === 'npx') {
      const known =
        verb === packageJson.name ? packageJson.bin : existsSync(`${projectRoot}node_modules/.bin/${verb}`);
      if (!known) fault(`npx ${verb}: no such command`);
    } else if (program !== 'npm') fault(`${program}: not a command that the docs may use`);
    else if (verb === 'run') {
      if (!packageJson.scripts[rest[0]!]) fault(`npm run ${rest[0]}: no such script`);
    } else if (verb === 'install') {
      for (const name of rest.filter((word) => !word.startsWith('-')))
        if (name !== packageJson.name && !packageJson.devDependencies[name])
          fault(`npm install ${name}: unknown`);
    } else if (!['ci', 'test', 'start'].includes(verb))
      fault(`npm ${verb}: not a command that the docs may use`);
  }
}

/** What the page declares, without what the block declares itself. */
function given(declarations: string, code: string): ts.Statement[] {
  const own = new Set(statementsOf(code).flatMap(namesIn));
  return statementsOf(declarations).filter((statement) => !namesIn(statement).some((name) => own.has(name)));
}

const exportedText = (statement: ts.Statement): string =>
  ts.isImportDeclaration(statement)
    ? `${statement.getText()}\nexport { ${namesIn(statement).join(', ')} };`
    : `export ${statement.getText()}`;

const isTypeOnly = (statement: ts.Statement): boolean =>
  ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);

const statementsOf = (code: string): readonly ts.Statement[] =>
  ts.createSourceFile('a.tsx', code, ts.ScriptTarget.Latest, true).statements;

function namesIn(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name)
        ? [name.text]
        : name.elements.map((one) => one.getText().replace(/^.*:\s*|\.{3}/, '')),
    );
  if (ts.isImportDeclaration(statement)) {
    const { name, namedBindings } = statement.importClause ?? {};
    const named = namedBindings && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
    return [name, ...named.map((one) => one.name)].flatMap((one) => (one ? [one.text] : []));
  }
  const { name } = statement as { name?: ts.Node };
  return name && ts.isIdentifier(name) ? [name.text] : [];
}

/** The source that an import of the package stands for. */
function paths(): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const entry of Object.keys(packageJson.exports)) {
    const source = `src/${entry === '.' ? '' : `${entry.slice(2)}/`}index.ts`;
    if (existsSync(`${projectRoot}${source}`))
      found[`${packageJson.name}${entry.slice(1)}`] = [`${projectRoot}${source}`];
  }
  return found;
}

/** Parameter … implicitly has an 'any' type. */
const IMPLICIT_ANY = 7006;

function typeFaults(modules: ReadonlyMap<string, Module>): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    jsx: ts.JsxEmit.ReactJSX,
    allowJs: true,
    checkJs: true,
    strict: true,
    esModuleInterop: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: ['node'],
    paths: paths(),
  };
  const ambientName = `${projectRoot}docs-ambient.d.ts`;
  const texts = new Map([...modules].map(([name, { text }]) => [name, text]));
  texts.set(ambientName, ambient);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, language, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile(path, language, ...rest)
      : ts.createSourceFile(path, text, language, true);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  const faults: string[] = [];
  for (const name of texts.keys()) {
    const source = program.getSourceFile(name)!;
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    for (const { start = 0, messageText, code } of found) {
      // JavaScript has no way to say a parameter's type.
      if (code === IMPLICIT_ANY && name.endsWith('.js')) continue;
      const { line } = source.getLineAndCharacterOfPosition(start);
      const { block } = modules.get(name) ?? {};
      const where = block ? `${block.page}:${block.line + 1 + line}` : `${name}:${line + 1}`;
      faults.push(`${where}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
    }
  }
  return faults;
}
