/** A container registry on 127.0.0.1 with storage of its own: Debian's docker-registry. Engines trust 127.0.0.0/8 without TLS. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { tempDir } from './temp.ts';

/** Who may use a registry with a password. The registry reads nothing but bcrypt; this is the hash of this password. */
export const REGISTRY_USER = { username: 'ada', password: 'correct horse' };
const HTPASSWD = 'ada:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n';

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:port`; stays the same over a stop and a start. */
  readonly host: string;
  /** Where it keeps blobs and manifests, for tests that break them. */
  readonly storage: string;
  /** Puts an image of the engine into it. @param name `path:tag` @returns `host/path:tag` and its digest */
  push(engine: Engine, image: string, name: string): Promise<{ reference: string; digest: string }>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** @param options `private`: only REGISTRY_USER may read and write */
export async function testRegistry(options: { private?: boolean } = {}): Promise<Registry> {
  const dir = tempDir();
  const storage = dir.at('storage');
  writeFileSync(dir.at('htpasswd'), HTPASSWD);
  const config = (address: string): string =>
    JSON.stringify({
      version: '0.1',
      log: { level: 'info', formatter: 'json', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
      http: { addr: address },
      ...(options.private ? { auth: { htpasswd: { realm: 'test', path: dir.at('htpasswd') } } } : {}),
    });
  let child: ChildProcess | undefined;
  let host = '127.0.0.1:0';
  const start = async (): Promise<void> => {
    writeFileSync(dir.at('config.yml'), config(host));
    ({ child, host } = await serve(dir.at('config.yml')));
  };
  const stop = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    host,
    storage,
    start,
    stop,
    push: (engine, image, name) => push(engine, image, `${host}/${name}`),
    async [Symbol.asyncDispose]() {
      await stop();
      dir[Symbol.dispose]();
    },
  };
}

async function serve(config: string): Promise<{ child: ChildProcess; host: string }> {
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  const host = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`docker-registry ended:\n${lines.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      const found = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
  return { child, host };
}

async function push(
  { docker }: Engine,
  image: string,
  reference: string,
): Promise<{ reference: string; digest: string }> {
  const colon = reference.lastIndexOf(':');
  await docker.getImage(image).tag({ repo: reference.slice(0, colon), tag: reference.slice(colon + 1) });
  const tagged = docker.getImage(reference);
  const stream = await tagged.push({ authconfig: { ...REGISTRY_USER, serveraddress: reference.split('/')[0] ?? '' } });
  const said = await new Promise<{ error?: string; aux?: { Digest?: string } }[]>((resolve, reject) =>
    docker.modem.followProgress(stream, (error, output) => (error ? reject(error) : resolve(output as object[]))),
  );
  await tagged.remove(); // Only the registry shall have it.
  const error = said.find((line) => line.error !== undefined)?.error;
  const digest = said.find((line) => line.aux?.Digest !== undefined)?.aux?.Digest;
  if (error !== undefined || digest === undefined) throw new Error(`${reference} could not be pushed: ${error}`);
  return { reference, digest };
}
