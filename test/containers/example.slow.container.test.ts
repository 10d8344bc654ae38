/** `examples/containers` runs as its README says, with this machine's images in the place of the public ones. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { conditionOf } from '../../schemas/status.ts';
import { describeEngine, sweep } from '../helpers/engine.ts';
import { nodeImage } from '../helpers/images.ts';
import { REGISTRY_USER, testRegistry } from '../helpers/registry.ts';
import { Desk } from '../helpers/slipway.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/containers', import.meta.url));
const README = readFileSync(join(EXAMPLE, 'README.md'), 'utf8');

describeEngine('examples/containers', (engine) => {
  test('four servers, one of them from a private registry; a bad version is rolled back, says why, and is mended', async () => {
    const base = await nodeImage(engine);
    const build = (version: string): void =>
      void execFileSync(
        'docker',
        [
          'build',
          '-q',
          '-t',
          `example/hello:${version}`,
          '--build-arg',
          `BASE=${base}`,
          '--build-arg',
          `VERSION=${version}`,
          join(EXAMPLE, 'image'),
        ],
        { env: { ...process.env, DOCKER_HOST: engine.address.host } },
      );
    build('1');
    build('2');
    await using registry = await testRegistry({ private: true });
    await registry.push(engine, 'example/hello:1', 'tools/hello:1');

    await using desk = new Desk();
    cpSync(EXAMPLE, desk.config, { recursive: true });
    const adapt = (file: string, from: string, to: string): string => {
      const before = readFileSync(join(desk.config, file), 'utf8');
      expect(before).toContain(from);
      return before.replace(from, to);
    };
    desk.push({
      'slipway.yaml': adapt('slipway.yaml', 'node:24-slim', base),
      'servers/shared.yaml': adapt('servers/shared.yaml', 'registry.example.com', registry.host),
    });
    const env = {
      FETCHER_TOKEN: 't0ken',
      REGISTRY_USER: REGISTRY_USER.username,
      REGISTRY_PASSWORD: REGISTRY_USER.password,
      DOCKER_HOST: engine.address.host,
    };
    await desk.up([], env);
    const owner = readFileSync(join(desk.state, 'owner'), 'utf8');
    try {
      await desk.sync();
      const status = await desk.status();
      expect(conditionOf(status, 'Ready')).toMatchObject({ status: 'True' });
      expect(status.servers.map(({ name }) => name)).toEqual(['fetcher', 'hello', 'shared', 'web']);
      for (const server of ['hello', 'web', 'shared'])
        expect((await desk.call(server, 'hello', { name: 'Ada' })).out).toContain('Hello, Ada! This is version 1.');
      expect((await desk.call('fetcher', 'fetch', { url: 'https://example.org' })).out).toMatch(/EAI_AGAIN|ENOTFOUND/);

      desk.push({ 'servers/hello.yaml': adapt('servers/hello.yaml', 'hello:1', 'hello:2') }, 'hello 2');
      const bad = await desk.sync();
      expect(bad.code).toBe(1);
      expect((await desk.call('hello', 'hello', { name: 'Ada' })).out).toContain('This is version 1.');
      const described = (await desk.slipway(['describe', 'server', 'hello', '--state-dir', desk.state])).out;
      expect(described).toMatch(/RolledBack .*Error: version 2 needs DATABASE_URL/);

      const fix = '  env: [{ name: DATABASE_URL, value: "postgres://db.example.com/hello" }]\n';
      expect(README).toContain(fix);
      desk.push(
        { 'servers/hello.yaml': `${readFileSync(join(desk.config, 'servers/hello.yaml'), 'utf8')}${fix}` },
        'hello 2 has a database',
      );
      const good = await desk.sync();
      expect(good.code).toBe(0);
      const answer = await desk.call('hello', 'hello', { name: 'Ada' });
      expect(answer.out).toContain('This is version 2.');
      if (process.env['SHOW'])
        for (const text of [bad.out, bad.err, described, good.out, good.err, answer.out]) console.log(`${text}\n----`);
    } finally {
      await desk[Symbol.asyncDispose]();
      await sweep(engine, owner);
    }
  });
});
