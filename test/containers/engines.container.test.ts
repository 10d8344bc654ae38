/** Engines that are not at the standard socket: over TLS, over SSH, and found as the docker command finds them. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { engineAddress } from '../../reconciler/drivers/docker/address.ts';
import { attach } from '../../reconciler/drivers/docker/attach.ts';
import { openEngine, type Engine } from '../../reconciler/drivers/docker/engine.ts';
import { freePort } from '../../reconciler/drivers/process/port.ts';
import { testDaemon } from '../helpers/dockerd.ts';
import { describeEngine } from '../helpers/engine.ts';
import { busyboxImage } from '../helpers/images.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

describeEngine('engines', (here) => {
  test('the address is found as the docker command finds it: DOCKER_HOST, then the context, then the standard socket', () => {
    using dir = tempDir();
    const id = createHash('sha256').update('far').digest('hex');
    const folder = dir.at(`contexts/meta/${id}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/meta.json`, JSON.stringify({ Endpoints: { docker: { Host: 'tcp://far:2376' } } }));
    const config = { DOCKER_CONFIG: dir.path };
    expect(engineAddress(undefined, { ...config, DOCKER_HOST: 'unix:///x.sock', DOCKER_CONTEXT: 'far' }).host).toBe(
      'unix:///x.sock',
    );
    expect(engineAddress(undefined, { ...config, DOCKER_CONTEXT: 'far' }).host).toBe('tcp://far:2376');
    writeFileSync(dir.at('config.json'), JSON.stringify({ currentContext: 'far' }));
    expect(engineAddress(undefined, config).host).toBe('tcp://far:2376');
    expect(() => engineAddress(undefined, { ...config, DOCKER_CONTEXT: 'nowhere' })).toThrow(
      'no Docker context named nowhere',
    );
    const spec = { name: 'own', host: 'ssh://ops@build', runners: {} };
    expect(engineAddress(spec, { DOCKER_HOST: 'unix:///x.sock' }).host).toBe('ssh://ops@build');
  });

  test('an engine that is not there is named, with what went wrong', async () => {
    const gone = openEngine({ name: 'gone', host: 'unix:///nonexistent/docker.sock', runners: {} });
    await expect(gone).rejects.toMatchObject({ code: 'engine-unreachable' });
    await expect(gone).rejects.toThrow('The engine gone at unix:///nonexistent/docker.sock does not answer');
  });

  test('an Engine with a host of its own is that one, whatever DOCKER_HOST says', async () => {
    using elsewhere = withVariable('DOCKER_HOST', 'tcp://127.0.0.1:9');
    void elsewhere;
    using engine = await openEngine({ name: 'own', host: here.address.host, runners: {} });
    expect(engine.info.version).toBe(here.info.version);
  });

  test('over TLS both sides show their certificates; who has none of this authority, or another’s, is refused', async () => {
    using dir = tempDir();
    const port = await freePort();
    const [server, client] = [certificate(dir, 'server'), certificate(dir, 'client')];
    const other = authority(dir, 'other');
    await using daemon = await testDaemon({
      args: [
        `--host=tcp://127.0.0.1:${port}`,
        '--tlsverify',
        `--tlscacert=${server.ca}`,
        `--tlscert=${server.cert}`,
        `--tlskey=${server.key}`,
      ],
    });
    void daemon;
    const at = (tls: { ca: string; cert: string; key: string }): Promise<Engine> =>
      openEngine({ name: 'tls', host: `tcp://127.0.0.1:${port}`, tls, runners: {} });
    using engine = await at(client);
    expect(await conversation(engine)).toBe('hello over there');
    await expect(at({ ...client, ca: other.cert })).rejects.toMatchObject({ code: 'engine-unreachable' });
    const stranger = certificate(dir, 'stranger', other);
    await expect(at({ ...stranger, ca: client.ca })).rejects.toMatchObject({ code: 'engine-unreachable' });
  });

  test('over SSH the system’s ssh is used, which trusts no host that it does not know', async () => {
    using dir = tempDir();
    await using door = await sshDoor(dir, here.address.host);
    using path = withVariable('PATH', `${dir.path}:${process.env['PATH']}`);
    void path;
    door.forget();
    await expect(openEngine(door.spec)).rejects.toThrow('Host key verification failed');
    door.know();
    using engine = await openEngine(door.spec);
    expect(engine.info).toMatchObject({ id: here.info.id, local: false });
    expect(await conversation(engine)).toBe('hello over there');
  });
});

/** A container that says what it is told, attached to. */
async function conversation(engine: Engine): Promise<string> {
  const Image = await busyboxImage(engine);
  const container = await engine.docker.createContainer({
    Image,
    Cmd: ['cat'],
    OpenStdin: true,
    HostConfig: { NetworkMode: 'none' },
  });
  try {
    const heard = Promise.withResolvers<string>();
    const socket = await attach(engine, container.id, {
      stdout: (chunk) => heard.resolve(chunk.toString().trim()),
      stderr: () => {},
    });
    await container.start();
    socket.write('hello over there\n');
    const text = await heard.promise;
    socket.destroy();
    return text;
  } finally {
    await container.remove({ force: true });
  }
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });

function authority(dir: TempDir, name: string): Pair {
  const pair = { cert: dir.at(`${name}-ca.pem`), key: dir.at(`${name}-ca.key`) };
  const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes', '-newkey', 'rsa:2048'];
  openssl('req', '-x509', ...subject, '-keyout', pair.key, '-out', pair.cert);
  return pair;
}

let root: Pair | undefined;

function certificate(dir: TempDir, name: string, by?: Pair): Pair & { readonly ca: string } {
  const ca = by ?? (root ??= authority(dir, 'root'));
  const [key, request, cert, more] = ['key', 'csr', 'pem', 'ext'].map((end) => dir.at(`${name}.${end}`)) as [
    string,
    string,
    string,
    string,
  ];
  openssl('req', '-nodes', '-newkey', 'rsa:2048', '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
  writeFileSync(more, 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  openssl(
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    ca.cert,
    '-CAkey',
    ca.key,
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    more,
    '-out',
    cert,
  );
  return { cert, key, ca: ca.cert };
}

/** An SSH server of this machine's own, and a client that knows nothing of this machine's. */
async function sshDoor(dir: TempDir, engineHost: string) {
  const port = await freePort();
  for (const name of ['host', 'client'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', dir.at(name)]);
  mkdirSync('/run/sshd', { recursive: true });
  const known = dir.at('known_hosts');
  const server = `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${dir.at('host')}\nAuthorizedKeysFile ${dir.at('client.pub')}
StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nSetEnv DOCKER_HOST=${engineHost}\n`;
  writeFileSync(dir.at('sshd_config'), server);
  const client = `UserKnownHostsFile ${known}\nStrictHostKeyChecking yes\nIdentityFile ${dir.at('client')}\n`;
  writeFileSync(dir.at('ssh_config'), client);
  writeFileSync(dir.at('ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${dir.at('ssh_config')} "$@"\n`);
  chmodSync(dir.at('ssh'), 0o755);
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', dir.at('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const line of createInterface({ input: sshd.stderr })) if (line.includes('Server listening')) break;
  return {
    spec: { name: 'far', host: `ssh://root@127.0.0.1:${port}`, runners: {} },
    know: () => writeFileSync(known, `[127.0.0.1]:${port} ${readFileSync(dir.at('host.pub'), 'utf8')}`),
    forget: () => writeFileSync(known, ''),
    async [Symbol.asyncDispose]() {
      const ended = once(sshd, 'exit');
      sshd.kill();
      await ended;
    },
  };
}

function withVariable(name: string, value: string): Disposable {
  const { [name]: before } = process.env;
  process.env[name] = value;
  return {
    [Symbol.dispose]() {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    },
  };
}
