/**
 * A typedoc plugin: names the entries as an import names them, lists the members of a union with their comments (which the Markdown
 * theme shows for object types only), and puts a default behind the sentence it belongs to.
 */
import { Comment, Converter, ReflectionKind, UnionType } from 'typedoc';

const PACKAGE = 'failover-websocket';

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const entry of project.children ?? [])
      entry.name = entry.name === 'index' ? PACKAGE : `${PACKAGE}/${entry.name}`;
    for (const reflection of Object.values(project.reflections)) {
      if (reflection.kindOf(ReflectionKind.TypeAlias)) listMembers(reflection);
      if (reflection.comment) inlineDefault(reflection.comment);
    }
  });
}

function listMembers(alias) {
  const { type } = alias;
  if (!(type instanceof UnionType) || !type.elementSummaries?.some(({ length }) => length)) return;
  if (!type.types.every((member) => member.type === 'literal')) return;
  alias.comment ??= new Comment();
  alias.comment.summary.push(...type.types.flatMap((member, i) => lineOf(member, type.elementSummaries[i])));
}

const lineOf = ({ value }, summary = []) => [
  { kind: 'text', text: `\n\n- \`'${value}'\`: ` },
  ...summary.map((part) => ({ ...part, text: part.text.replace(/\s*\n\s*/g, ' ') })),
];

function inlineDefault(comment) {
  const tag = comment.getTag('@default');
  if (!tag) return;
  const text = tag.content
    .map((part) => part.text)
    .join('')
    .replace(/```(?:ts)?\n?/g, '')
    .trim();
  comment.removeTags('@default');
  // A value is code; a sentence about it is not.
  const isValue = /^('[^']*'|[\d_.]+|true|false|undefined|Infinity|\[.*\]|\{.*\})$/.test(text);
  comment.summary.push({ kind: 'text', text: `\n\n**Default:** ${isValue ? `\`${text}\`` : text}` });
}
