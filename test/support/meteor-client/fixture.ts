/**
 * A real Meteor client that nobody here wrote: a production build of another team's app, published to npm. It is fetched once with
 * npm into `.cache/meteor`, and cut to Meteor's own packages; neither is ever committed.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../../../tools/run.ts';
import { cutClient, type BundleStats } from './cut.ts';

const source = {
  package: 'steedos-server@2.1.64',
  file: 'steedos-server-2.1.64.tgz',
  integrity:
    'sha512-l6G8Xax6nGGRq4uGOqH94hnVGDDUwAtrqHE1H2aLGl+Mn1GTImzAn4t1GktFiQ92MWFbzFv7aiUzL/nMaUhYRw==',
  bundle: 'package/bundle/programs/web.browser/57c34f70b021a3e0d191809ce70de1f65457fdfb',
  config: 'package/bundle/programs/server/config.json',
};

const cache = join(projectRoot, '.cache/meteor');
const madeOf = ['fixture.ts', 'cut.ts'].map((name) => new URL(name, import.meta.url));

export interface MeteorClient {
  /** `1.9.3` */
  readonly version: string;
  /** Runs as a page's script, after `__meteor_runtime_config__` is set. */
  readonly script: string;
}

const cached = (name: string): string => join(cache, name);

/** The client that is in the cache, or undefined. */
export async function findMeteorClient(): Promise<MeteorClient | undefined> {
  const text = await readFile(cached('client.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as MeteorClient);
}

/**
 * Fetches and cuts the client unless it is in the cache.
 *
 * @returns why it could not be had, or undefined
 */
export async function ensureMeteorClient(): Promise<string | undefined> {
  if (await isMade()) return undefined;
  await mkdir(cache, { recursive: true });
  try {
    await fetchSource();
    await make();
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1);
  }
}

/** Whether it has been made since its makers have last changed. */
async function isMade(): Promise<boolean> {
  const made = await stat(cached('client.json')).catch(() => undefined);
  if (made === undefined) return false;
  const changed = await Promise.all(madeOf.map((file) => stat(file)));
  return changed.every(({ mtimeMs }) => mtimeMs <= made.mtimeMs);
}

const execute = promisify(execFile);

async function fetchSource(): Promise<void> {
  if (await isGenuine()) return;
  process.stderr.write(`fetching ${source.package}, 47 MB\n`);
  await rm(cached(source.file), { force: true });
  await execute('npm', ['pack', source.package, '--silent', '--pack-destination', cache], {
    cwd: projectRoot,
  });
  if (!(await isGenuine())) throw new Error(`${source.package} is not what it was`);
}

async function isGenuine(): Promise<boolean> {
  const content = await readFile(cached(source.file)).catch(() => undefined);
  if (content === undefined) return false;
  return `sha512-${createHash('sha512').update(content).digest('base64')}` === source.integrity;
}

async function make(): Promise<void> {
  const { bundle, config } = source;
  const names = [`${bundle}.js`, `${bundle}.stats.json`, config];
  await execute('tar', ['-xzf', cached(source.file), '-C', cache, ...names]);
  const [code, stats, settings] = await Promise.all(names.map((name) => readFile(cached(name))));
  const { meteorRelease } = JSON.parse(String(settings)) as { meteorRelease: string };
  const client: MeteorClient = {
    version: meteorRelease.replace('METEOR@', ''),
    script: cutClient(code!, JSON.parse(String(stats)) as BundleStats),
  };
  // Whole or not at all: tests may be looking for it.
  await writeFile(cached('client.json.new'), JSON.stringify(client));
  await rename(cached('client.json.new'), cached('client.json'));
  await rm(cached('package'), { recursive: true });
}
