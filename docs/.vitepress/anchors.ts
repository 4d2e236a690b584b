import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** VitePress checks that linked pages exist; this checks that the linked headings do. */
export async function brokenAnchors(outDir: string): Promise<string[]> {
  const pages = new Map<string, string>();
  for (const file of await readdir(outDir, { recursive: true }))
    if (file.endsWith('.html')) pages.set(`/${file}`, await readFile(join(outDir, file), 'utf8'));
  const broken = new Set<string>();
  for (const [page, html] of pages) {
    for (const [, href] of html.matchAll(/<a [^>]*?href="([^"]*#[^"]*)"/g)) {
      const { origin, pathname, hash } = new URL(href!.replaceAll('&amp;', '&'), `http://site${page}`);
      if (origin !== 'http://site') continue;
      const target = pages.get(pathname.replace(/\/$/, '/index.html').replace(/(\.html)?$/, '.html'));
      const id = decodeURIComponent(hash.slice(1)).replaceAll('&', '&amp;').replaceAll('"', '&quot;');
      if (id !== '' && !target?.includes(` id="${id}"`)) broken.add(`${page}: ${href}`);
    }
  }
  return [...broken];
}
