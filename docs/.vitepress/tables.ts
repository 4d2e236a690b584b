/** Tables that stay readable on a phone: narrow ones are stacked there, wide ones scroll. `theme/style.css` does the rest. */
import type { MarkdownRenderer } from 'vitepress';

/** A stack of more cells than this is harder to read than a table that scrolls. */
const STACKED_COLUMNS = 4;

/** Marks each table as `stacked` or `scrolls`, and gives the cells of a stacked one the name of their column. */
export function labelTables(markdown: MarkdownRenderer): void {
  // VitePress prints a fixed tag here, without the attributes.
  markdown.renderer.rules.table_open = (tokens, i, options, _env, self) =>
    self.renderToken(tokens, i, options);
  markdown.core.ruler.push('label_tables', ({ tokens }) => {
    let table: (typeof tokens)[number] | undefined;
    let names: string[] = [];
    let column = 0;
    for (const [i, token] of tokens.entries()) {
      if (token.type === 'table_open') [table, names] = [token, []];
      if (token.type === 'tr_open') column = 0;
      if (token.type === 'th_open') names.push(plainText(tokens[i + 1]!.content));
      if (token.type === 'thead_close') markTable(table!, names.length);
      if (token.type === 'td_open') token.attrSet('data-label', names[column++] ?? '');
    }
  });
}

function markTable(table: { attrSet(name: string, value: string): void }, columns: number): void {
  const isStacked = columns <= STACKED_COLUMNS;
  table.attrSet('class', isStacked ? 'stacked' : 'scrolls');
  // Whoever has no pointer scrolls with the arrow keys.
  if (!isStacked) table.attrSet('tabindex', '0');
}

const plainText = (markdown: string): string => markdown.replaceAll(/[`*]/g, '');
