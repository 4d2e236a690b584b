/** What runs `npm test` and `npm run check`: it must not lose a failure. */
import { describe, expect, it } from 'vitest';
import { Runner, type Step } from '../../tools/steps.ts';

const node = (name: string, code: string, more: Partial<Step> = {}): Step => ({
  name,
  command: [process.execPath, '-e', code],
  ...more,
});

async function play(...lanes: Step[][]) {
  const lines: string[] = [];
  const runner = new Runner({ total: lanes.flat().length, print: (line) => lines.push(line) });
  await runner.run(...lanes);
  const exitCode = runner.finish();
  return {
    exitCode,
    lines: lines.map((line) => line.replace(/^\[\d+:\d\d\] /, '').replace(/\d+:\d\d/, 'T')),
  };
}

describe('the steps of a run', { timeout: 30_000 }, () => {
  it('are announced with what comes next, and counted in the last line', async () => {
    const { exitCode, lines } = await play([node('one', 'console.log("quiet")'), node('two', '')]);
    expect(lines).toEqual([
      'Step 1 of 2 starts: one. After it comes two.',
      'one: passed after T.',
      'Step 2 of 2 starts: two.',
      'two: passed after T.',
      'All steps are done.',
      '\n2 passed, 0 failed',
    ]);
    expect(exitCode).toBe(0);
  });

  it('that fail show their output, and the others run all the same', async () => {
    const { exitCode, lines } = await play([
      node('bad', 'console.log("out"); console.error("err"); process.exitCode = 3'),
      node('good', ''),
    ]);
    expect(lines).toEqual([
      'Step 1 of 2 starts: bad. After it comes good.',
      'out\nerr',
      'bad: failed with exit code 3 after T.',
      'Step 2 of 2 starts: good.',
      'good: passed after T.',
      'These steps failed: bad.',
      '\n1 passed, 1 failed',
    ]);
    expect(exitCode).toBe(1);
  });

  it('that a signal ends have failed', async () => {
    const { exitCode, lines } = await play([node('killed', 'process.kill(process.pid, "SIGKILL")')]);
    expect(lines.at(-1)).toBe('\n0 passed, 1 failed');
    expect(exitCode).toBe(1);
  });

  it('that are skipped say why and count as nothing', async () => {
    const { exitCode, lines } = await play([node('smoke', '', { skipped: 'Chromium is missing.' })]);
    expect(lines[0]).toBe('Step 1 of 1, smoke, is skipped: Chromium is missing.');
    expect(lines.at(-1)).toBe('\n0 passed, 0 failed');
    expect(exitCode).toBe(0);
  });

  it('run beside each other in lanes, in the background at the lowest priority', async () => {
    const wait = `require('node:http').get('http://127.0.0.1:' + process.env.PORT)`;
    const { createServer } = await import('node:http');
    // Answers when both lanes have asked: a lane that waited for the other would never end.
    const answers: (() => void)[] = [];
    const server = createServer((_, answer) => {
      answers.push(() => answer.end());
      if (answers.length === 2) for (const end of answers) end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const env = { PORT: String((server.address() as { port: number }).port) };
    const priority = `console.log('priority', require('node:os').getPriority())`;
    const { exitCode, lines } = await play(
      [node('left', `${priority};${wait}`, { env, isBackground: true, isShown: true })],
      [node('right', wait, { env })],
    );
    server.close();
    server.closeAllConnections();
    expect(exitCode).toBe(0);
    expect(lines).toContain('priority 19');
  });

  it('that are tests are counted test by test, and each failure is named at once', async () => {
    const progress = (failed: number, failure?: string) =>
      `process.send(${JSON.stringify({ passed: 5, failed, skipped: 1, projects: {}, failure })});`;
    const { exitCode, lines } = await play(
      [
        node(
          'tests',
          `${progress(1, 'a.test.ts › x')}${progress(2, 'a.test.ts › y')}process.exitCode = 1; process.disconnect()`,
        ),
      ],
      [node('more', `${progress(0)}process.disconnect()`)],
    );
    expect(lines).toContain('A test failed: a.test.ts › x');
    expect(lines).toContain('A test failed: a.test.ts › y');
    expect(lines).toContain('tests: failed with exit code 1 after T, 5 tests passed, 2 failed, 1 skipped.');
    // Ten tests and the run that passed; two tests, of which the run that failed is no third.
    expect(lines.at(-1)).toBe('\n11 passed, 2 failed');
    expect(exitCode).toBe(1);
  });
});
