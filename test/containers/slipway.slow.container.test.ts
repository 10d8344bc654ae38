/** Slipway in a container of its own: the image that `packaging/Dockerfile` makes, as nobody of importance, following a git repo. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../cli/build.ts';
import { makeToken } from '../../cli/tokens/make.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { describeEngine } from '../helpers/engine.ts';
import { image, layOutBinary, nodeImage } from '../helpers/images.ts';
import { Desk } from '../helpers/slipway.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TAG = `slipway-test/slipway:${process.pid}`;
const VOLUME = `slipway-test-config-${process.pid}`;

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8', stdio: 'pipe' }).trim();

describeEngine('the image of Slipway', (engine) => {
  let desk: Desk;
  const { token, sha256 } = makeToken();

  beforeAll(async () => {
    desk = new Desk();
    // A base with Node and git, made of this host: no registry is asked.
    const node = await nodeImage(engine);
    const dockerfile = `FROM ${node}\nCOPY rootfs /\n`;
    const base = await image(engine, 'node-git', [dockerfile], (context) => {
      writeFileSync(join(context, 'Dockerfile'), dockerfile);
      const rootfs = join(context, 'rootfs');
      layOutBinary(rootfs, '/usr/bin/git', '/usr/bin/git');
      mkdirSync(join(rootfs, 'usr/lib/git-core'), { recursive: true });
      for (const name of ['git', 'git-upload-pack', 'git-receive-pack'])
        symlinkSync('/usr/bin/git', join(rootfs, 'usr/lib/git-core', name));
    });
    const context = join(desk.home, 'context');
    for (const path of ['packaging', '.dockerignore', 'package.json', 'LICENSE', 'README.md'])
      cpSync(join(ROOT, path), join(context, path), { recursive: true });
    await build(join(context, 'dist'));
    docker(
      'build',
      '--tag',
      TAG,
      '--file',
      join(context, 'packaging/Dockerfile'),
      '--build-arg',
      `NODE_IMAGE=${base}`,
      context,
    );
    desk.push({
      'gateway.yaml': GATEWAY,
      'hello.mjs': HELLO_PROGRAM,
      'hello.yaml': helloServer('hello'),
      'token.yaml': `apiVersion: slipway/v1\nkind: Token\nmetadata: { name: ci }\nspec: { sha256: ${sha256} }\n`,
    });
    // Files of the user that it runs as, whoever runs the tests.
    docker('volume', 'create', VOLUME);
    const copy = 'cp -r /from/. /config && chown -R 10001:10001 /config';
    const mounts = ['-v', `${desk.remote}:/from:ro`, '-v', `${VOLUME}:/config`];
    docker('run', '--rm', '--user', '0', ...mounts, '--entrypoint', 'sh', TAG, '-c', copy);
  });
  afterAll(async () => {
    docker('volume', 'rm', '--force', VOLUME);
    docker('image', 'rm', '--force', TAG);
    await desk[Symbol.asyncDispose]();
  });

  test('holds the program and git, runs as nobody of importance, and can write nowhere else', () => {
    const run = (...command: string[]): string =>
      docker('run', '--rm', '--entrypoint', command[0] ?? '', TAG, ...command.slice(1));
    expect(docker('run', '--rm', TAG, 'version')).toContain('config slipway/v1');
    expect(run('git', '--version')).toContain('git version');
    expect(run('id', '-u')).toBe('10001');
    expect(run('sh', '-c', 'touch /usr/lib/slipway/x 2>/dev/null || echo refused')).toBe('refused');
  });

  test('serves a git repo: healthy, and calls go through', async () => {
    const flags = ['--read-only', '--tmpfs', '/tmp', '--tmpfs', '/home/slipway:uid=10001', '--cap-drop', 'ALL'];
    const command = ['up', '--repo', '/config', '--ref', 'main', '--listen', '0.0.0.0:9877'];
    const id = docker(
      'run',
      '--detach',
      '--health-interval',
      '1s',
      ...flags,
      '-v',
      `${VOLUME}:/config`,
      TAG,
      ...command,
    );
    try {
      const health = (): string => docker('inspect', '--format', '{{.State.Health.Status}}', id);
      await expect.poll(health, { timeout: 60_000, interval: 500 }).toBe('healthy');
      const url = `http://${docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', id)}:9877`;
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      const call = ['call', 'hello', 'hello', '{"name":"Ada"}', '--server', url, '--token'];
      expect(await desk.slipway([...call, token])).toMatchObject({
        code: 0,
        out: expect.stringContaining('Hello, Ada'),
      });
      expect((await desk.slipway([...call, 'slw_wrong'])).code).not.toBe(0);
      docker('stop', '--time', '30', id);
      expect(docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('0');
    } catch (error) {
      throw new Error(docker('logs', id), { cause: error });
    } finally {
      docker('rm', '--force', '--volumes', id);
    }
  });
});
