/** A container with the defaults, from the inside: each test tries to do what it must not be able to do. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeEngine } from '../../../helpers/engine.ts';
import { imageWorkload } from '../../../helpers/docker-driver.ts';
import { boxes, type Box } from '../../../helpers/shut-in.ts';
import { tempDir } from '../../../helpers/temp.ts';

describeEngine('a container with the defaults', (engine) => {
  const own = boxes(engine);
  let box: Box;
  beforeAll(async () => void (box = await own.start(imageWorkload('-', { name: 'posture' }))));
  afterAll(() => own[Symbol.asyncDispose]());

  const status = async (): Promise<Record<string, string>> => {
    const { output } = await box.run('cat', '/proc/self/status');
    return Object.fromEntries(output.split('\n').map((line) => line.split(/:\s*/, 2) as [string, string]));
  };

  test('runs as nobody, without capabilities, without a way to new ones, and filtered', async () => {
    expect(await status()).toMatchObject({
      Uid: '65534\t65534\t65534\t65534',
      Gid: '65534\t65534\t65534\t65534',
      CapEff: '0000000000000000',
      CapPrm: '0000000000000000',
      CapBnd: '0000000000000000',
      NoNewPrivs: '1',
      Seccomp: '2',
    });
  });

  test('cannot write to its root file system', async () => {
    // Podman gives every container with a read-only root a /run in memory.
    const run = engine.info.podman ? [] : ['/run/x'];
    for (const path of ['/x', '/etc/passwd', '/usr/local/bin/node', ...run])
      expect((await box.run('sh', '-c', `echo x > ${path}`)).output, path).toMatch(
        /Read-only|Permission denied|nonexistent/,
      );
  });

  // With runc, Podman gives it the mode of the image's /tmp, and that of these images is closed.
  test.skipIf(engine.info.podman)('may fill /tmp, but only so far, and runs nothing from there', async () => {
    expect(await box.run('sh', '-c', 'echo hello > /tmp/x && cat /tmp/x && echo $HOME')).toMatchObject({
      code: 0,
      output: 'hello\n/tmp',
    });
    const { output } = await box.run('sh', '-c', 'dd if=/dev/zero of=/tmp/big bs=1M count=80; rm /tmp/big');
    expect(output).toMatch(/No space left/);
    const exec = await box.run('sh', '-c', 'cp /bin/busybox /tmp/sh && /tmp/sh true; echo $?; rm /tmp/sh');
    expect(exec.output).toContain('Permission denied');
    expect(exec.output).toContain('126');
  });

  test('sees neither the host’s processes nor its disks, nor the engine', async () => {
    expect((await box.run('cat', '/proc/1/cmdline')).output).toMatch(/init|node/);
    const pids = (await box.run('sh', '-c', 'ls /proc | grep -c "^[0-9]"')).output;
    expect(Number(pids)).toBeLessThan(10);
    for (const path of ['/var/run/docker.sock', '/run/docker.sock', '/run/podman/podman.sock'])
      expect((await box.run('ls', path)).code, path).not.toBe(0);
    expect((await box.run('sh', '-c', 'mount -t tmpfs x /tmp')).output).toMatch(/permitted|denied|must be/i);
    expect((await box.run('sh', '-c', 'cat /proc/kcore | head -c 1 | wc -c')).output).toContain('0');
    expect((await box.run('sh', '-c', 'ls /dev')).output).not.toMatch(/sda|vda|mem\b|kmsg/);
  });

  test('has no network at all over stdio', async () => {
    expect(box.network.network).toBe('none');
    expect((await box.run('ls', '/sys/class/net')).output).toBe('lo');
    expect(await box.connect('192.0.2.1', 80)).toBe('ENETUNREACH');
  });

  test('a fork bomb ends at the limit of processes and leaves the host alone', async () => {
    const bomb = await box.node(`
      const { spawn } = await import('node:child_process');
      let failed = 0, running = 0;
      const all = [...Array(300)].map(() => new Promise((done) => {
        const child = spawn('sleep', ['5']);
        child.once('spawn', () => (running++, done())).once('error', () => (failed++, done()));
      }));
      await Promise.all(all);
      console.log(JSON.stringify({ running, failed }));
      process.exit(0);`);
    const { running, failed } = JSON.parse(bomb.split('\n').at(-1) ?? '') as { running: number; failed: number };
    expect(running).toBeLessThan(128);
    expect(failed).toBeGreaterThan(150);
  });

  // Podman's own limits are in containers.conf.
  test.skipIf(engine.info.podman)('core dumps and file handles are bounded', async () => {
    const { output } = await box.run('sh', '-c', 'ulimit -c; ulimit -n');
    expect(output).toBe('0\n16384');
  });

  test('one that eats memory is ended at its limit', async () => {
    const eater = await own.start(imageWorkload('-', { name: 'eater', resources: { memoryBytes: 96 * 2 ** 20 } }), {
      program: 'const all = []; setInterval(() => all.push(Buffer.alloc(8e6, 1)), 5)',
    });
    const { StatusCode } = (await engine.docker.getContainer(eater.id).wait()) as { StatusCode: number };
    const { State, HostConfig } = await engine.docker.getContainer(eater.id).inspect();
    expect(StatusCode).toBe(137);
    if (!engine.info.podman) expect(State.OOMKilled).toBe(true);
    expect(HostConfig.MemorySwap).toBe(HostConfig.Memory);
  });

  test('one that spins gets half of a processor', async () => {
    const used = await box.node(`
      const begin = process.cpuUsage(); const at = performance.now();
      while (performance.now() - at < 2000);
      const { user, system } = process.cpuUsage(begin);
      console.log((user + system) / 1e6 / ((performance.now() - at) / 1e3));`);
    expect(Number(used)).toBeLessThan(0.75);
  });

  test('loosenings count, each for itself', async () => {
    const loose = await own.start(
      imageWorkload('-', {
        name: 'loose',
        isolation: { user: '1000', readOnlyRoot: false, writable: ['/var/cache'], pids: 64, tmpBytes: 2 ** 20 },
      }),
    );
    expect((await loose.run('id', '-u')).output).toBe('1000');
    expect((await loose.run('id', '-g')).output).toBe('1000');
    expect((await loose.run('sh', '-c', 'echo x > /var/cache/x')).code).toBe(0);
    const { HostConfig } = await engine.docker.getContainer(loose.id).inspect();
    expect(HostConfig).toMatchObject({ PidsLimit: 64, ReadonlyRootfs: false, CapDrop: expect.any(Array) });
    expect((await loose.run('sh', '-c', 'df -k /tmp | tail -1')).output).toContain('1024');
    expect(existsSync('/var/cache/x')).toBe(false);
  });

  test('what a Policy must allow is there when it is asked for, and no more than that', async () => {
    using dir = tempDir();
    for (const name of ['read', 'change']) mkdirSync(dir.at(name), { mode: 0o777 });
    for (const name of ['read', 'change']) chmodSync(dir.at(name), 0o777);
    chmodSync(dir.path, 0o755);
    writeFileSync(dir.at('read/x'), 'of the host');
    const trusted = await own.start(
      imageWorkload('-', {
        name: 'trusted',
        isolation: {
          user: '0',
          hostPid: true,
          capabilities: ['NET_RAW'],
          mounts: [
            { host: dir.at('read'), path: '/read', readOnly: true },
            { host: dir.at('change'), path: '/change', readOnly: false },
          ],
        },
      }),
    );
    expect((await trusted.run('cat', '/read/x')).output).toBe('of the host');
    expect((await trusted.run('sh', '-c', 'echo x > /read/x')).output).toContain('Read-only');
    expect((await trusted.run('sh', '-c', 'echo changed > /change/x')).code).toBe(0);
    expect(readFileSync(dir.at('change/x'), 'utf8')).toBe('changed\n');
    // CAP_NET_RAW is the 13th, and all there is.
    expect((await trusted.run('sh', '-c', 'grep CapEff /proc/self/status')).output).toMatch(/\t0000000000002000$/);
    expect((await trusted.run('ls', `/proc/${process.pid}`)).code).toBe(0);
    expect((await box.run('ls', `/proc/${process.pid}`)).code).not.toBe(0);
  });

  // Podman makes it, as Docker does for a bind.
  test.skipIf(engine.info.podman)('a folder of the host that is missing is an error, and is not made', async () => {
    using dir = tempDir();
    const mounts = [{ host: dir.at('missing'), path: '/data', readOnly: false }];
    await expect(own.start(imageWorkload('-', { name: 'typo', isolation: { mounts } }))).rejects.toThrow(
      /exist|no such file/,
    );
    expect(existsSync(dir.at('missing'))).toBe(false);
  });
});
