import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../tools/run.ts';
import { blocksIn, faultsIn, type Block } from './docs-code.ts';

const pages = ['README.md', ...readdirSync(`${projectRoot}docs`).map((name) => `docs/${name}`)].filter(
  (path) => path.endsWith('.md'),
);
const read = (page: string) => readFileSync(projectRoot + page, 'utf8');

/** A page with every fault that the test is there to find, and one good block of each kind. */
const planted = `
<!-- given
declare const ws: import('failover-websocket').FailoverWebSocket;
declare const shown: number;
-->

\`\`\`ts
import { FailoverWebSocket } from 'failover-websocket';
const ws = new FailoverWebSocket('wss://example.org', undefined, { polcy: 'fast' });
\`\`\`

\`\`\`ts
ws.on('failover', ({ upAfterMs }) => shown.toFixed(upAfterMs));
ws.on('failover', ({ downAfterMs }) => {});
\`\`\`

\`\`\`js
import { drain } from 'failover-websocket/servers';
shown.toFixed();
nowhere();
\`\`\`

   \`\`\`html
   <script src="/failover.js"></script>
   <script>
     const ddp = new failover.DDPClient('wss://example.org/websocket');
   </script>
   <script>
     ddp.subscribe();
   </script>
   \`\`\`

\`\`\`json
{"msg":"node"}
{"msg":"drain"}
\`\`\`

\`\`\`json
{"msg":}
\`\`\`

\`\`\`sh
npm ci && npm run demo -- --smoke
npm run dmeo # no such script
npx failover-websocked
rm -rf /
\`\`\`

\`\`\`yaml
a: 1
\`\`\`

\`\`\`text
a ─▶ b
\`\`\`

\`\`\`text
ws.neverChecked();
\`\`\`
`;

describe('the code in the README and the docs', () => {
  const blocks: Block[] = [];
  let faults: string[] = [];
  beforeAll(() => {
    for (const page of pages) blocks.push(...blocksIn(page, read(page)));
    // One program for both: half of its time goes into the types of a browser.
    faults = faultsIn([...blocks, ...blocksIn('planted', planted)]);
  }, 60_000);

  it('is all found', () => {
    const fences = pages.flatMap((page) => read(page).match(/^ *(```|~~~)/gm) ?? []);
    expect(blocks).toHaveLength(fences.length / 2);
    expect(blocks.length).toBeGreaterThan(60);
  });

  it('is right', () => {
    expect(faults.filter((fault) => !fault.startsWith('planted'))).toEqual([]);
  });

  it('would not pass if it were wrong', () => {
    expect(faults.filter((fault) => fault.startsWith('planted'))).toEqual([
      'planted:23: failover.js is not a file of the package',
      'planted:38: no JSON',
      'planted:42: npm run dmeo: no such script',
      'planted:42: npx failover-websocked: no such command',
      'planted:42: rm: not a command that the docs may use',
      'planted:49: a block in yaml, which nothing checks',
      'planted:57: a text block that is no drawing',
      expect.stringMatching(/^planted:9: .*'polcy' does not exist/),
      expect.stringMatching(/^planted:14: Property 'downAfterMs' does not exist/),
      expect.stringMatching(/^planted:18: Cannot find module 'failover-websocket\/servers'/),
      expect.stringMatching(/^planted:20: Cannot find name 'nowhere'/),
      expect.stringMatching(/^planted:29: Expected /),
    ]);
  });

  it('names npm scripts that exist, in the text as well', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!),
    );
    expect(named.filter((name) => !scripts[name])).toEqual([]);
  });
});
