/** An engine of a test's own: what the tests of restarts stand on. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { testDaemon } from '../../../helpers/dockerd.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { busyboxImage } from '../../../helpers/images.ts';

describeEngine('an engine of a test’s own', () => {
  test('shares nothing with the machine’s, and with live-restore its containers outlive a kill', async () => {
    const bridge = '/sys/class/net/docker0';
    const before = existsSync(bridge);
    await using daemon = await testDaemon({ args: ['--live-restore'] });
    using engine = await daemon.engine();
    expect(await engine.docker.listImages()).toEqual([]);
    expect(existsSync(bridge)).toBe(before);
    const container = await engine.docker.createContainer({
      Image: await busyboxImage(engine),
      Cmd: ['sleep', '1000'],
      HostConfig: { NetworkMode: 'none' },
    });
    await container.start();
    const { Pid: pid } = (await container.inspect()).State;
    await daemon.kill();
    await daemon.start();
    expect((await container.inspect()).State).toMatchObject({ Running: true, Pid: pid });
  });
});
