/** The images that container tests run, on the engine of this machine. */
import { expect, test } from 'vitest';
import { describeEngine } from '../../../helpers/engine.ts';
import { busyboxImage, npmImage, serverImage } from '../../../helpers/images.ts';
import { printed } from '../../../helpers/printed.ts';

describeEngine('images for tests', (engine) => {
  const { docker } = engine;
  const run = (Image: string, Entrypoint: string[]): Promise<string> =>
    printed(engine, { Image, Entrypoint, User: '65534:65534', NetworkDisabled: true });

  test('a shell, npm on the Node of the tests, and an MCP server', async () => {
    expect(await run(await busyboxImage(engine), ['sh', '-c', 'id -u'])).toBe('65534');
    expect(await run(await npmImage(engine), ['npm', '--version'])).toMatch(/^\d+\.\d+\.\d+/);
    expect(await run(await npmImage(engine), ['node', '--version'])).toBe(process.version);
    const say = `echo '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}' | node /app/server.mjs`;
    const { result } = JSON.parse(await run(await serverImage(engine), ['sh', '-c', say])) as {
      result: { content: { text: string }[] };
    };
    expect(JSON.parse(result.content[0]?.text ?? '')).toMatchObject({ uid: 65_534, gid: 65_534 });
  });

  test('are built once', async () => {
    const before = await docker.getImage(await serverImage(engine)).inspect();
    expect((await docker.getImage(await serverImage(engine)).inspect()).Id).toBe(before.Id);
  });
});
