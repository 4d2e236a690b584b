/** Apps that have the packed package installed, for tests that use it as a user does. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, inject, it } from 'vitest';
import { projectRoot } from '../../tools/run.ts';
import { consumerHome, consumerSources, hasConsumers } from './consumers.ts';

const execute = promisify(execFile);

export const { home: packedHome, files: packedFiles } = inject('packedPackage');

export interface App {
  readonly folder: string;
  /** @returns the file's path */
  write(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

/**
 * A folder with the packed package and its dependencies in `node_modules`, and nothing else that it could import by accident.
 *
 * @param options.sources a folder of `consumers` whose files the app begins with
 * @param options.packages more of the project's packages that the app needs
 * @param options.parent where its folder is made; what is installed above it can be imported too
 */
export async function createApp(
  options: { sources?: string; packages?: readonly string[]; parent?: string } = {},
): Promise<App> {
  const { sources, packages = [], parent = tmpdir() } = options;
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'failover-websocket-app-'));
  const modules = join(folder, 'node_modules');
  await cp(packedHome, join(modules, 'failover-websocket'), { recursive: true });
  const { dependencies } = JSON.parse(await readFile(join(packedHome, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), ...packages]) {
    await cp(join(projectRoot, 'node_modules', name), join(modules, name), { recursive: true });
  }
  if (sources !== undefined) await cp(join(consumerSources, sources), folder, { recursive: true });
  const app: App = {
    folder,
    async write(name, text) {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    },
    remove: () => rm(folder, { recursive: true }),
  };
  await app.write('package.json', '{ "private": true }\n');
  return app;
}

/** The test runner's own settings are none of an app's business. */
export const appEnv = (more: Record<string, string> = {}): NodeJS.ProcessEnv => {
  const names = Object.keys(process.env).filter((name) => !/^(NODE_|VITEST|JEST|TEST$|CI$)/.test(name));
  return { ...Object.fromEntries(names.map((name) => [name, process.env[name]])), ...more };
};

/**
 * Runs Node in an app. Rejects, with all that was printed, if it ends with another code than 0.
 *
 * @returns what it printed, without surrounding white space
 */
export async function runNode(
  app: App,
  args: readonly string[],
  options: { env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<string> {
  const { env, timeoutMs = 100_000 } = options;
  try {
    const { stdout } = await execute(process.execPath, args, {
      cwd: app.folder,
      env: appEnv(env),
      timeout: timeoutMs,
    });
    return stdout.trim();
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout: string; stderr: string };
    // The error's message holds the command and its standard error, if there was any.
    throw new Error(stderr ? message : `${message}\n${stdout}`);
  }
}

/** A file of what set-up has installed for consumers. */
export const consumerFile = (path: string): string => join(consumerHome, 'node_modules', path);

const missing = !(await hasConsumers());

/** `describe` for what needs the consumers' tools: skipped by name where they are missing, a failure under CI=true. */
export function describeConsumer(name: string, tests: () => void): void {
  if (!missing) describe(name, tests);
  else if (process.env.CI !== 'true') describe.skip(`${name} (missing: npm run setup)`, tests);
  else {
    it(`${name} is installed`, () => {
      throw new Error(`${name} is missing or not as its lockfile has it. Run \`npm run setup\`.`);
    });
  }
}
