/** Another Slipway: a process of its own that holds one server until it is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { tempDir } from './temp.ts';

const HOLD = fileURLToPath(new URL('../fixtures/programs/hold.ts', import.meta.url));

export interface Holder extends AsyncDisposable {
  readonly owner: string;
  /** Of the instance. */
  readonly id: string;
  /** Ends it with no chance to tidy up. */
  kill(): Promise<void>;
}

export async function holder(what: 'caged' | 'stubborn'): Promise<Holder> {
  const dir = tempDir();
  const child = spawn(process.execPath, [HOLD, dir.at('state'), what], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    ended.then(([code]) => Promise.reject(new Error(`it ended with ${code}`))),
  ])) as [string];
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return {
    ...(JSON.parse(line) as { owner: string; id: string }),
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill();
      dir[Symbol.dispose]();
    },
  };
}
