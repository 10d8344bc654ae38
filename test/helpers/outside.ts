/** A machine outside: a network namespace of its own, with a cable to this host, in which `outside.mjs` runs. Needs root. */
import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../fixtures/programs/outside.mjs', import.meta.url));

/** Why there can be no outside here. */
export const noOutside = process.getuid?.() === 0 ? undefined : 'only root can make a network namespace';

export interface Outside extends Disposable {
  readonly address: string;
  /** The names that were asked of its name service, in lower case. */
  asked(): Promise<string[]>;
}

/** Names below `test` resolve to it, for whoever asks its name service. */
export async function outside(): Promise<Outside> {
  const subnet = `10.${randomInt(220, 250)}.${randomInt(1, 250)}`;
  const address = `${subnet}.2`;
  const name = `slwt${process.pid}x${randomInt(1000)}`;
  const ip = (...argv: string[]): void => void execFileSync('ip', argv);
  using undo = new DisposableStack();
  ip('netns', 'add', name);
  undo.defer(() => ip('netns', 'delete', name)); // Its end of the cable goes with it, and so does ours.
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  ip('address', 'add', `${subnet}.1/30`, 'dev', name);
  ip('link', 'set', name, 'up');
  for (const argv of [
    `link set lo up`,
    `address add ${address}/30 dev eth0`,
    `link set eth0 up`,
    `route add default via ${subnet}.1`,
  ])
    ip('-n', name, ...argv.split(' '));
  const child = spawn('ip', ['netns', 'exec', name, process.execPath, PROGRAM, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undo.defer(() => child.kill());
  await once(createInterface({ input: child.stdout }), 'line');
  const held = undo.move();
  return {
    address,
    asked: async () => (await (await fetch(`http://${address}:9999/`)).json()) as string[],
    [Symbol.dispose]: () => held.dispose(),
  };
}
