import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
/** Nothing, where there is no such file. */
const read = (path: string) =>
  existsSync(new URL(path, root)) ? readFileSync(new URL(path, root), 'utf8') : '';

/** A test as its file spells it, `describe › … › title`, and as it may be named. */
interface Title {
  readonly path: string;
  readonly pattern: RegExp;
}

const quoted = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
/** What `test.each` fills in (`%s`) is something that the file spells out. */
const patternOf = (path: string) =>
  new RegExp(
    `^${path
      .split(/%[sdifjop]/)
      .map(quoted)
      .join('(.+)')}$`,
    's',
  );

/** All tests of a file, with the groups they are in. */
function titlesIn(source: string): Title[] {
  const titles: Title[] = [];
  const visit = (node: ts.Node, groups: readonly string[]): void => {
    let inside = groups;
    if (ts.isCallExpression(node)) {
      // `it(…)`, `it.skip(…)`, `it.each(…)(…)`, `it.each<…>(…)(…)`
      let callee: ts.Expression = node.expression;
      while (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) callee = callee.expression;
      const [title] = node.arguments;
      const name = callee.getText();
      const table = ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'each';
      if (title && ts.isStringLiteralLike(title) && !table && /^(describe|it|test)$/.test(name)) {
        inside = [...groups, title.text];
        const path = inside.join(' › ');
        if (name !== 'describe') titles.push({ path, pattern: patternOf(path) });
      }
    }
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(ts.createSourceFile('a.ts', source, ts.ScriptTarget.Latest, true), []);
  return titles;
}

/** Every `file › … › title` between backticks (two of them where the title has one itself). */
const referencesIn = (text: string): string[] =>
  [...text.matchAll(/(`+)\s?(test\/[^`|]+? › .+?)\s?\1(?!`)/g)].map(([, , reference]) => reference!);

/** References to what does not exist. */
function missing(text: string, read: (file: string) => string): string[] {
  const titles = new Map<string, Title[]>();
  return referencesIn(text).filter((reference) => {
    const [file, ...names] = reference.split(' › ');
    const wanted = names.join(' › ');
    const source = read(file!);
    if (!titles.has(file!)) titles.set(file!, titlesIn(source));
    return !titles.get(file!)!.some(
      ({ path, pattern }) =>
        path === wanted ||
        pattern
          .exec(wanted)
          ?.slice(1)
          .every((cell) => source.includes(cell)),
    );
  });
}

describe('docs/ddp-protocol.md', () => {
  const text = read('docs/ddp-protocol.md');

  it('names tests that exist', () => {
    expect(referencesIn(text).length).toBeGreaterThan(80);
    expect(missing(text, read)).toEqual([]);
  });

  it('names files that exist, and no title that this test overlooks', () => {
    const files = [...text.matchAll(/(test\/[\w./-]+\.ts)( ›)?/g)];
    expect(files.filter(([, file]) => !read(file!))).toEqual([]);
    expect(files.filter(([, , titled]) => titled)).toHaveLength(referencesIn(text).length);
  });
});

describe('a reference', () => {
  const source = `
    describe('group', () => {
      it('plain', () => {});
      it.each<[string, number]>([['a', 1]])('of %s: %d (x)', () => {});
      describe.each([1])('deeper %i', () => void test('inside \`ticks\`', () => {}));
    });
    test('alone', () => {});`;

  it.each([
    ['`test/a.test.ts › group › plain`', []],
    ['`test/a.test.ts › group › of %s: %d (x)`, `test/a.test.ts › group › of a: 1 (x)`', []],
    ['`` test/a.test.ts › group › deeper 1 › inside `ticks` ``', []],
    ['`test/a.test.ts › alone`', []],
    ['`test/b.test.ts › alone`', ['test/b.test.ts › alone']],
    ['`test/a.test.ts › plain`', ['test/a.test.ts › plain']],
    ['`test/a.test.ts › group`', ['test/a.test.ts › group']],
    ['`test/a.test.ts › group › of a: 1 (y)`', ['test/a.test.ts › group › of a: 1 (y)']],
    ['`test/a.test.ts › group › of a`', ['test/a.test.ts › group › of a']],
    ['`test/a.test.ts › group › of nobody: 1 (x)`', ['test/a.test.ts › group › of nobody: 1 (x)']],
  ])('%s', (text, gone) => {
    expect(referencesIn(text).length).toBeGreaterThan(0);
    expect(missing(text, (file) => (file === 'test/a.test.ts' ? source : ''))).toEqual(gone);
  });
});
