/** The site made of these pages. The pages themselves stay readable on GitHub: relative links, GitHub's anchors. */
import { readFileSync } from 'node:fs';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { brokenAnchors } from './anchors.ts';
import { slug } from './slug.ts';
import { labelTables } from './tables.ts';

const here = (path: string) => new URL(path, import.meta.url);

const WIDE = ['benchmarks.md', 'ddp-protocol.md', 'herds.md'];

interface Entry {
  readonly text: string;
  readonly link?: string;
  readonly items?: Entry[];
}

/** Written by typedoc, which `npm run docs` and `npm run docs:dev` run first. */
const [main] = JSON.parse(readFileSync(here('../api/typedoc-sidebar.json'), 'utf8')) as [Entry];
/** The main entry's kinds of names (without a page), and the other entries below it (with one). */
const kinds = main.items!.filter(({ link }) => link === undefined);
const others = main.items!.filter(({ link }) => link !== undefined);

/** One group for each entry of the package, called as an import calls it; inside, all names in one list. */
const api: DefaultTheme.SidebarItem[] = [{ ...main, items: kinds }, ...others].map(
  ({ text, link, items = [] }) => ({
    text: text === main.text ? text : `…/${text}`,
    link: link!,
    collapsed: true,
    items: items
      .flatMap((kind) => kind.items ?? [])
      .map(({ text, link }) => ({ text, link: link! }))
      .sort((a, b) => a.text.localeCompare(b.text)),
  }),
);

const start: DefaultTheme.SidebarItem = {
  text: 'Getting started',
  items: [
    { text: 'Meteor', link: '/start-meteor' },
    { text: 'Single-page app', link: '/start-spa' },
    { text: 'Script tag', link: '/start-script-tag' },
  ],
};
const guide: DefaultTheme.SidebarItem = {
  text: 'Guide',
  items: [
    { text: 'How it works', link: '/how-it-works' },
    { text: 'Policies', link: '/policies' },
    { text: 'Options', link: '/options' },
    { text: 'Errors and events', link: '/errors-and-events' },
    { text: 'DDP client', link: '/ddp' },
    { text: 'Meteor guide', link: '/meteor' },
    { text: 'Recipes', link: '/recipes' },
  ],
};
const operate: DefaultTheme.SidebarItem = {
  text: 'Operations',
  items: [
    { text: 'Servers', link: '/servers' },
    { text: 'Deployments', link: '/deployments' },
    { text: 'Herds', link: '/herds' },
  ],
};
const inside: DefaultTheme.SidebarItem = {
  text: 'Evidence',
  items: [
    { text: 'Benchmarks', link: '/benchmarks' },
    { text: 'Architecture', link: '/architecture' },
    { text: 'DDP, rule by rule', link: '/ddp-protocol' },
  ],
};

export default defineConfig({
  title: 'failover-websocket',
  description: 'Keeps WebSocket and DDP clients served when a node behind the load balancer goes away.',
  lang: 'en',
  outDir: '../site',
  cacheDir: '../.cache/vitepress',
  lastUpdated: false,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/icon.svg' }]],
  markdown: { anchor: { slugify: slug }, config: labelTables },
  vite: {
    build: { chunkSizeWarningLimit: 2_000 },
  },
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      {
        text: 'Guide',
        link: '/start-spa',
        activeMatch: '^/(start|how|policies|options|errors|ddp\\.|meteor|recipes)',
      },
      { text: 'Operations', link: '/servers', activeMatch: '^/(servers|deployments|herds)' },
      { text: 'Evidence', link: '/benchmarks', activeMatch: '^/(benchmarks|architecture|ddp-protocol)' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
    ],
    sidebar: {
      '/': [start, guide, operate, inside, { text: 'Reference', items: [{ text: 'API', link: '/api/' }] }],
      '/api/': [{ text: 'API reference', link: '/api/', items: api }],
    },
  },
  transformPageData(page) {
    // Wide tables and drawings take the outline's place.
    if (WIDE.includes(page.relativePath))
      page.frontmatter = { ...page.frontmatter, aside: false, pageClass: 'wide' };
  },
  async buildEnd({ outDir }) {
    const broken = await brokenAnchors(outDir);
    if (broken.length > 0) throw new Error(`Links to headings that do not exist:\n${broken.join('\n')}`);
  },
});
