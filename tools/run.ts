import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Whether this file is the program that runs, and not an import of another one. */
export const isMain = (moduleUrl: string): boolean => process.argv[1] === fileURLToPath(moduleUrl);

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the command's output goes. With 'stderr' the caller's own output stays free for a program that reads it. @default 'stderr' */
  readonly stdout?: 'stdout' | 'stderr';
}

/** Runs a command in the project's root and shows its output. Resolves with its exit code, or 128 if a signal ended it. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<number> {
  const { env = {}, stdout = 'stderr' } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: projectRoot,
      stdio: ['ignore', process[stdout], process.stderr],
      env: { ...process.env, ...env },
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 128));
  });
}

/** The path of a package's command. It spares the second that `npx` takes. */
export const bin = (name: string): string => `${projectRoot}node_modules/.bin/${name}`;
