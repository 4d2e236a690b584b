/**
 * A typedoc plugin: names the entries as an import names them, and lists the members of a union with their comments,
 * which the Markdown theme shows for object types only.
 */
import { Comment, Converter, ReflectionKind, UnionType } from 'typedoc';

const PACKAGE = 'failover-websocket';

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const entry of project.children ?? [])
      entry.name = entry.name === 'index' ? PACKAGE : `${PACKAGE}/${entry.name}`;
    for (const alias of project.getReflectionsByKind(ReflectionKind.TypeAlias)) {
      const { type } = alias;
      if (!(type instanceof UnionType) || !type.elementSummaries?.some(({ length }) => length)) continue;
      if (type.types.every((member) => member.type === 'literal')) {
        alias.comment ??= new Comment();
        alias.comment.summary.push(
          ...type.types.flatMap((member, i) => lineOf(member, type.elementSummaries[i])),
        );
      }
    }
  });
}

const lineOf = ({ value }, summary = []) => [
  { kind: 'text', text: `\n\n- \`'${value}'\`: ` },
  ...summary.map((part) => ({ ...part, text: part.text.replace(/\s*\n\s*/g, ' ') })),
];
