/**
 * What users' apps are built and tested with: webpack, Next.js, Jest, old TypeScript versions. They weigh half a gigabyte, so the
 * project does not depend on them: set-up installs them once into `.cache/consumers`, from a lockfile of their own.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot, run } from '../../tools/run.ts';

/** Where the lockfile and the apps' sources are. */
export const consumerSources = join(projectRoot, 'test/package/consumers');
/** Where the tools are installed. */
export const consumerHome = join(projectRoot, '.cache/consumers');

const manifests = ['package.json', 'package-lock.json', '.npmrc'];
/** Written last: an installation that failed half way is none. */
const stamp = join(consumerHome, 'installed');

async function lockHash(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of manifests) hash.update(await readFile(join(consumerSources, name)));
  return hash.digest('hex');
}

/** Whether the tools are installed as the lockfile has them. */
export async function hasConsumers(): Promise<boolean> {
  const installed = await readFile(stamp, 'utf8').catch(() => undefined);
  return installed === (await lockHash());
}

/**
 * Installs the tools unless they are there as the lockfile has them.
 *
 * @returns why they are missing, or undefined
 */
export async function ensureConsumers(): Promise<string | undefined> {
  if (await hasConsumers()) return undefined;
  process.stderr.write('installing webpack, Next.js, Jest and TypeScript versions, 530 MB\n');
  await mkdir(consumerHome, { recursive: true });
  await rm(stamp, { force: true });
  for (const name of manifests) await copyFile(join(consumerSources, name), join(consumerHome, name));
  // None of them needs an install script, and a contributor's npm may forbid those.
  const code = await run('npm', ['ci', '--ignore-scripts', '--prefix', consumerHome]);
  if (code !== 0) return `npm ci in ${consumerHome} ended with ${code}`;
  await writeFile(stamp, await lockHash());
  return undefined;
}
