/**
 * Finds the real parts that tests and the smoke run need, and installs missing ones where that is possible without asking:
 * as root on Debian or Ubuntu, through apt-get. Elsewhere it says what is missing. Under CI=true a missing part is a failure.
 */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ensureConsumers } from '../test/support/consumers.ts';
import { ensureMeteorClient } from '../test/support/meteor-client/fixture.ts';
import { isMain, run } from './run.ts';

export type Part = 'chromium' | 'firefox' | 'redis-server';

interface PartSpec {
  /** Names it has in PATH, best first. */
  readonly commands: readonly string[];
  /** Where it is outside PATH. */
  readonly paths: readonly string[];
  /** Variable that names its executable. */
  readonly variable: string;
  readonly debianPackage: string;
  readonly elsewhere: string;
}

const specs: Record<Part, PartSpec> = {
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    paths: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    variable: 'CHROME_PATH',
    debianPackage: 'chromium',
    elsewhere: 'install Chromium or Chrome, or name its executable in CHROME_PATH',
  },
  firefox: {
    commands: ['firefox-esr', 'firefox'],
    paths: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
    variable: 'FIREFOX_PATH',
    debianPackage: 'firefox-esr',
    elsewhere: 'install Firefox, or name its executable in FIREFOX_PATH',
  },
  'redis-server': {
    commands: ['redis-server'],
    paths: [],
    variable: 'REDIS_SERVER_PATH',
    debianPackage: 'redis-server',
    elsewhere: 'install Redis, or name its executable in REDIS_SERVER_PATH',
  },
};

export const parts = Object.keys(specs) as Part[];

const runnable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** The part's executable, or undefined. A variable that names something that cannot be run is an error. */
export async function find(part: Part): Promise<string | undefined> {
  const { commands, paths, variable } = specs[part];
  const named = process.env[variable];
  if (named) {
    if (await runnable(named)) return named;
    throw new Error(`${variable}: ${JSON.stringify(named)} cannot be run`);
  }
  const directories = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const candidates = commands.flatMap((name) => directories.map((directory) => join(directory, name)));
  for (const path of [...candidates, ...paths]) if (await runnable(path)) return path;
  return undefined;
}

async function missingOf(wanted: readonly Part[]): Promise<Part[]> {
  const found = await Promise.all(wanted.map(find));
  return wanted.filter((_, i) => found[i] === undefined);
}

async function canInstall(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release);
}

/** Finds the wanted parts, installing missing ones where that is possible. Resolves with those still missing. */
export async function ensure(wanted: readonly Part[]): Promise<Part[]> {
  const missing = await missingOf(wanted);
  if (missing.length === 0 || !(await canInstall())) return missing;
  const packages = missing.map((part) => specs[part].debianPackage);
  process.stderr.write(`installing ${packages.join(', ')}\n`);
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' } };
  // A package that is not to be had must not keep the others away, and is found missing below.
  await run('apt-get', ['update', '-qq'], options);
  for (const name of packages) {
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], options);
  }
  return missingOf(missing);
}

/** What a person has to do about missing parts, one line each. */
export const advice = (missing: readonly Part[]): string[] =>
  missing.map((part) => `${part} is missing: ${specs[part].elsewhere}`);

if (isMain(import.meta.url)) {
  const missing: string[] = advice(await ensure(parts));
  const client = await ensureMeteorClient();
  if (client !== undefined) missing.push(`a Meteor client is missing: ${client}`);
  const consumers = await ensureConsumers();
  if (consumers !== undefined) missing.push(`the consumers of test/package are missing: ${consumers}`);
  for (const line of missing) console.error(line);
  if (missing.length > 0 && process.env.CI === 'true') process.exitCode = 1;
  else if (missing.length > 0) console.error('The suites that need them are skipped by name.');
}
