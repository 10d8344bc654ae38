/** Secret files from inside a container: read, not written, and new without a restart. */
import { existsSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { orphansOn, pruneOn } from '../../../../reconciler/drivers/docker/orphans.ts';
import { refreshSecretFiles, removeSecretFiles } from '../../../../reconciler/drivers/docker/secret-files.ts';
import { instanceName, type SecretFile } from '../../../../reconciler/workload.ts';
import { imageWorkload } from '../../../helpers/docker-driver.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { openPlain } from '../../../helpers/secrets.ts';
import { boxes } from '../../../helpers/shut-in.ts';

describeEngine('secret files', (engine) => {
  const own = boxes(engine);
  afterAll(() => own[Symbol.asyncDispose]());

  test('are seen by whoever the server runs as, and change while it runs', async () => {
    const files: SecretFile[] = [
      { name: 'token', secret: { secret: 'keys', key: 'token', from: { env: 'SLIPWAY_TEST_TOKEN' } } },
    ];
    const write = () =>
      refreshSecretFiles(engine, own.owner, 'slipway-secretive-1', { secretFiles: files, open: openPlain });
    process.env['SLIPWAY_TEST_TOKEN'] = 'first-value';
    const { path: secretsDir } = await write();
    try {
      const server = imageWorkload('-', { name: 'secretive', secretFiles: files });
      const box = await own.start(server, { secretsDir });
      const other = await own.start(
        { ...server, hash: 'f'.repeat(64), run: { ...server.run, isolation: { user: '0' } } },
        { secretsDir },
      );
      for (const each of [box, other]) {
        expect(await each.run('cat', '/run/secrets/token')).toEqual({ code: 0, output: 'first-value' });
        expect((await each.run('sh', '-c', 'echo x > /run/secrets/token')).output).toMatch(/Read-only|denied/);
        expect((await each.run('sh', '-c', 'rm -f /run/secrets/token')).output).toMatch(/Read-only|denied/);
      }
      process.env['SLIPWAY_TEST_TOKEN'] = 'second-value';
      expect((await write()).changed).toEqual(['token']);
      expect((await box.run('cat', '/run/secrets/token')).output).toBe('second-value');
      const { State } = await engine.docker.getContainer(box.id).inspect();
      await engine.docker.getContainer(box.id).restart();
      expect((await box.run('cat', '/run/secrets/token')).output).toBe('second-value');
      expect(State.Running).toBe(true);
      expect(JSON.stringify(await engine.docker.getContainer(box.id).inspect())).not.toContain('-value');
    } finally {
      delete process.env['SLIPWAY_TEST_TOKEN'];
      await removeSecretFiles(own.owner, 'slipway-secretive-1');
    }
  });

  test('go with what a Slipway that is gone left behind', async () => {
    process.env['SLIPWAY_TEST_TOKEN'] = 'left-behind';
    const secretFiles: SecretFile[] = [
      { name: 'token', secret: { secret: 'keys', key: 'token', from: { env: 'SLIPWAY_TEST_TOKEN' } } },
    ];
    const server = imageWorkload('-', { name: 'gone', secretFiles });
    const { path: secretsDir } = await refreshSecretFiles(engine, own.owner, instanceName(server, 0), {
      secretFiles,
      open: openPlain,
    });
    delete process.env['SLIPWAY_TEST_TOKEN'];
    const box = await own.start(server, { secretsDir });
    const name = (await engine.docker.getContainer(box.id).inspect()).Name.slice(1);
    const another = { id: 'f'.repeat(32), home: '/elsewhere' };
    expect((await orphansOn(engine, another)).find(({ id }) => id === name)).toMatchObject({ dead: true });
    expect(await pruneOn(engine, another, [name])).toEqual([name]);
    expect(existsSync(secretsDir)).toBe(false);
  });
});
