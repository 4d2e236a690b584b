import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { slug } from '../../docs/.vitepress/slug.ts';
import { POLICIES } from '../../src/core/api/reconnect-policy.ts';
import { projectRoot } from '../../tools/run.ts';

const read = (path: string) => readFileSync(projectRoot + path, 'utf8');
const pages = ['README.md', ...readdirSync(`${projectRoot}docs`).map((name) => `docs/${name}`)].filter(
  (path) => path.endsWith('.md'),
);

/** Without code blocks, and without code spans where a link is no link. */
const prose = (markdown: string) =>
  markdown.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '').replaceAll(/`[^`\n]*`/g, '`code`');

/** The anchors of a page, as GitHub and the site make them. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    slug(heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')),
  );

function brokenLinks(page: string, markdown: string): string[] {
  const links = [...prose(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  return links
    .filter((link) => {
      if (/^\w+:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(projectRoot + target)) return true;
      return anchor !== undefined && !anchorsOf(path === '' ? markdown : read(target)).includes(anchor);
    })
    .map((link) => `${page}: ${link}`);
}

describe('links between the pages', () => {
  it('lead to files and headings that exist', () => {
    expect(pages.flatMap((page) => brokenLinks(page, read(page)))).toEqual([]);
  });

  it('would be found if they did not', () => {
    const page = '[a](#one) [b](#two) [c](ddp.md) [d](gone.md) [e](ddp.md#limits) [f](ddp.md#gone)\n# One';
    expect(brokenLinks('docs/index.md', page)).toEqual([
      'docs/index.md: #two',
      'docs/index.md: gone.md',
      'docs/index.md: ddp.md#gone',
    ]);
  });

  it('leave no page out: each has a place in the sidebar and in the README', () => {
    const config = read('docs/.vitepress/config.ts');
    const readme = read('README.md');
    const names = pages.flatMap((page) => /^docs\/(?!index)(.*)\.md$/.exec(page)?.[1] ?? []);
    expect(names.filter((name) => !config.includes(`'/${name}'`))).toEqual([]);
    expect(names.filter((name) => !readme.includes(`docs/${name}.md`))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  it('has every file of src in its tree, in its room', () => {
    const tree = read('docs/architecture.md').match(/```text\nsrc\/\n([\s\S]*?)\ntest\//)![1]!;
    const rooms = new Map<string, string>();
    let parent = '';
    let room = '';
    for (const line of tree.split('\n')) {
      const folder = /^( {2}| {4})(\w+)\//.exec(line);
      if (folder) {
        if (folder[1]!.length === 2) parent = folder[2]!;
        room = folder[1]!.length === 2 ? parent : `${parent}/${folder[2]}`;
      }
      rooms.set(room, `${rooms.get(room) ?? ''} ${line} `);
    }
    const files = readdirSync(`${projectRoot}src`, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.includes('/') && /(?<!\.d)\.ts$/.test(path));
    const missing = files.filter((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1, -'.ts'.length);
      return !rooms.get(dirname(path))?.includes(` ${name} `);
    });
    expect(files.length).toBeGreaterThan(50);
    expect(missing).toEqual([]);
  });
});

/** Names of the members of an interface or class, or the literals of a union, declared in a file of `src`. */
function membersOf(file: string, name: string): string[] {
  const source = ts.createSourceFile(file, read(`src/${file}`), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === name)
      for (const { name: member } of node.members) if (member) found.push(member.getText());
    if (ts.isTypeAliasDeclaration(node) && node.name.text === name) collect(node.type);
    ts.forEachChild(node, visit);
  };
  /** Literals, and the names in a union of objects; of those with a `name` the literal that tells them apart. */
  const collect = (type: ts.TypeNode): void => {
    if (ts.isUnionTypeNode(type)) type.types.forEach(collect);
    else if (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)) found.push(type.literal.text);
    else if (ts.isTypeLiteralNode(type))
      for (const member of type.members)
        if (ts.isPropertySignature(member)) {
          const { type: value } = member;
          const tag = member.name.getText() === 'name' && value && ts.isLiteralTypeNode(value);
          if (tag) collect(value);
          else found.push(member.name.getText());
        }
  };
  visit(source);
  expect(found, `${name} in src/${file}`).not.toEqual([]);
  return [...new Set(found)];
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
/** A heading of that name, or a table row that begins with it, alone or in a list of names. */
const documents = (markdown: string, name: string) =>
  new RegExp(`^#+ \`?${escaped(name)}\`?$|^\\| (\`[\\w-]+\`, )*\`${escaped(name)}\`[ ,(|]`, 'm').test(
    markdown,
  );

/** The part of a page below a heading. */
function sectionOf(markdown: string, heading: string): string {
  const [, section] = markdown.split(new RegExp(`^## ${heading}$`, 'm'));
  expect(section, heading).toBeDefined();
  return section!.split(/^## /m)[0]!;
}

describe.each<[page: string, types: [file: string, name: string, section?: string][]]>([
  [
    'options',
    [
      ['core/api/options.ts', 'FailoverOptions', 'Every link'],
      ['core/api/options.ts', 'Heartbeat', 'Every link'],
      ['core/api/options.ts', 'ProbeOptions', 'Every link'],
      ['core/api/options.ts', 'QueueOptions', 'Every link'],
      ['core/env/env.ts', 'Env', 'Every link'],
      ['ddp/options.ts', 'DDPOptions'],
      ['ddp/call.ts', 'ApplyOptions', 'One call'],
      ['meteor/install.ts', 'MeteorFailoverOptions', 'Meteor'],
    ],
  ],
  ['policies', [['core/api/reconnect-policy.ts', 'ReconnectPolicy']]],
  [
    'errors-and-events',
    [
      ['core/api/events.ts', 'FailoverEvents', 'Events'],
      ['core/api/events.ts', 'WarningKind', 'Warnings'],
      ['core/api/failure.ts', 'FailureKind', 'Why a connection ended'],
      ['core/api/errors.ts', 'ErrorKind', 'Errors'],
      ['core/api/report.ts', 'ProbeVerdict', 'Probes'],
      ['core/api/report.ts', 'FailoverReport', 'The report'],
      ['ddp/events.ts', 'DDPWarningKind', 'Warnings'],
    ],
  ],
  [
    'servers',
    [
      ['server/drain-options.ts', 'DrainOptions', 'Let clients go'],
      ['server/identity.ts', 'IdentityOptions', 'Say who you are'],
    ],
  ],
])('docs/%s.md', (page, types) => {
  const markdown = read(`docs/${page}.md`);

  it.each(types)('has all of %s: %s', (file, name, section) => {
    const part = section === undefined ? markdown : sectionOf(markdown, section);
    expect(membersOf(file, name).filter((member) => !documents(part, member))).toEqual([]);
  });

  it('would miss one', () => {
    expect(documents(markdown, 'nothing')).toBe(false);
  });
});

describe('docs/errors-and-events.md', () => {
  it('has every status and its fields', () => {
    const markdown = read('docs/errors-and-events.md');
    const section = sectionOf(markdown, 'Status');
    const names = membersOf('core/api/events.ts', 'Status');
    expect(names.filter((name) => !section.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/policies.md', () => {
  it('has the presets as they are', () => {
    const rows = read('docs/policies.md').matchAll(
      /^\| `(\w+)`(?: \(dials\))? \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm,
    );
    const value = (text: string) => Number(text.replaceAll(' ', ''));
    const table = [...rows].map(([, field, ...values]) => [field, ...values.map(value)]);
    const { fast, balanced, frugal } = POLICIES;
    const names = Object.keys(balanced) as (keyof typeof balanced)[];
    expect(table.sort()).toEqual(
      names.map((name) => [name, fast[name], balanced[name], frugal[name]]).sort(),
    );
  });
});
