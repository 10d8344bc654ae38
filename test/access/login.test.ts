/** `slipway login` at a real identity provider, against a running gateway: in a browser, with a code, and for long. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import { keptToken } from '../../cli/login/session.ts';
import { HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { identityProvider, type IdentityProvider } from '../helpers/identity-provider.ts';
import { Desk, MAIN, type Result } from '../helpers/slipway.ts';
import { Terminal } from '../helpers/terminal.ts';
import { eventually } from '../helpers/until.ts';
import { resource } from '../helpers/config.ts';

const CALL = ['call', 'hello', 'hello', '{"name":"Ada"}'];
const SCOPES = 'openid offline_access mcp mcp:admin';

interface Kept {
  readonly token: string;
  readonly session?: { readonly refreshToken?: string; readonly expiresAt?: number; readonly clientId: string };
}

class Scene implements AsyncDisposable {
  readonly desk = new Desk();
  readonly idp: IdentityProvider;
  url = '';

  private constructor(idp: IdentityProvider) {
    this.idp = idp;
  }

  static async set(options: { accessTokenTtl?: number } = {}): Promise<Scene> {
    const claims = { ada: { email: 'ada@example.com', email_verified: true } };
    const scene = new Scene(await identityProvider(claims, SCOPES, options));
    const corp = {
      name: 'corp',
      issuer: scene.idp.issuer,
      privateNetwork: true,
      requiredScopes: ['mcp'],
      clockSkew: '0s',
    };
    scene.desk.push({
      'gateway.yaml': resource('Gateway', 'main', { auth: { jwt: [corp] } }),
      'hello.mjs': HELLO_PROGRAM,
      'hello.yaml': helloServer('hello'),
      'ada.yaml': resource('User', 'ada', { email: 'ada@example.com' }),
      'rights.yaml': resource('RoleBinding', 'ada', { subjects: [{ kind: 'User', name: 'ada' }], role: 'member' }),
    });
    scene.url = await (await scene.desk.up()).serving;
    return scene;
  }

  get env(): NodeJS.ProcessEnv {
    return { XDG_CONFIG_HOME: join(this.desk.home, 'xdg-config'), DISPLAY: '', WAYLAND_DISPLAY: '', BROWSER: '' };
  }

  get file(): string {
    return join(this.desk.home, 'xdg-config/slipway/credentials.json');
  }

  kept(): Kept {
    const { servers } = JSON.parse(readFileSync(this.file, 'utf8')) as { servers: Record<string, Kept> };
    const entry = servers[this.url];
    if (!entry) throw new Error('nothing is kept');
    return entry;
  }

  run(...args: string[]): Promise<Result> {
    return this.desk.slipway(args, { env: this.env });
  }

  /** Logs in, and hands over the first line that has an address in it. */
  async logIn(args: readonly string[], visit: (line: string) => Promise<unknown>): Promise<Result> {
    const child = spawn(process.execPath, [MAIN, 'login', this.url, ...args], {
      env: { ...this.desk.env(), ...this.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const code = new Promise<number | null>((done) => child.once('close', done));
    let err = '';
    for await (const line of createInterface({ input: child.stderr })) {
      err += `${line}\n`;
      if (/https?:/.test(line) && !err.includes('visited') && !line.includes('Logged in to')) {
        err += 'visited\n';
        await visit(line);
      }
    }
    return { code: await code, out: '', err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.desk[Symbol.asyncDispose]();
    await this.idp[Symbol.asyncDispose](); // Once more where a test has done so: no matter.
  }
}

/** Fills in whatever form it is shown. @returns what stands where it ends */
async function browse(start: string, name: string, code = ''): Promise<string> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  let form: URLSearchParams | undefined;
  for (let step = 0; step < 30; step++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join('; ') },
      ...(form ? { method: 'POST', body: form } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(key, value);
    }
    const text = await response.text();
    const [location, action] = [response.headers.get('location'), /<form[^>]*action="([^"]+)"/.exec(text)?.[1]];
    form = undefined;
    if (location !== null) url = new URL(location, url);
    else if (action === undefined) return text;
    else {
      url = new URL(action, url);
      const hidden = [...text.matchAll(/<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="([^"]*)"/g)];
      form = new URLSearchParams(hidden.map(([, key = '', value = '']): [string, string] => [key, value]));
      if (text.includes('name="login"')) form.set('login', name);
      if (text.includes('name="password"')) form.set('password', 'x');
      if (/type="text" name="user_code"/.test(text)) form.set('user_code', code);
    }
  }
  throw new Error('the log-in never ends');
}

describe('slipway login', () => {
  test('in a browser: to the provider, back with a code, and the token is for this gateway only; logout gives it back', async () => {
    await using scene = await Scene.set();
    expect((await scene.run(...CALL, '--server', scene.url)).err).toContain('[unauthorized]');
    const { code, err } = await scene.logIn(['--web'], async (line) => {
      const { searchParams } = new URL(line);
      expect(Object.fromEntries(searchParams)).toMatchObject({
        code_challenge_method: 'S256',
        resource: scene.url,
        scope: 'openid mcp offline_access',
        redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback$/),
      });
      // Whoever guesses the address, but not the state, gets nowhere, and ends nothing.
      const redirect = searchParams.get('redirect_uri') ?? '';
      expect((await fetch(`${redirect}?code=mine&state=guessed`)).status).toBe(404);
      expect(await browse(line, 'ada')).toContain('You may close this page');
    });
    expect([code, err]).toEqual([0, expect.stringContaining(`Logged in to ${scene.url}`)]);
    expect(statSync(scene.file).mode & 0o777).toBe(0o600);
    const { token, session } = scene.kept();
    expect(decodeJwt(token)).toMatchObject({ aud: scene.url, sub: 'ada', scope: expect.stringContaining('mcp') });
    expect(await scene.run(...CALL, '--server', scene.url)).toMatchObject({ code: 0, out: 'Hello, Ada!' });
    expect((await scene.run('logout', scene.url)).err).toContain(`and of ${scene.idp.issuer}`);
    expect(readFileSync(scene.file, 'utf8')).not.toContain(token);
    const again = await fetch(`${scene.idp.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: session?.refreshToken ?? '',
        client_id: session?.clientId ?? '',
      }),
    });
    expect([again.status, await again.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })]);
  });

  test('with a code, on another device', async () => {
    await using scene = await Scene.set();
    const { code, err } = await scene.logIn(['--device'], async (line) => {
      const [, place = '', userCode = ''] = /at (\S+) on any device, with the code (\S+)$/.exec(line) ?? [];
      expect(await browse(place, 'ada', userCode)).toContain('Sign-in Success');
    });
    expect([code, err]).toEqual([0, expect.stringContaining('Logged in to')]);
    expect(await scene.run(...CALL, '--server', scene.url)).toMatchObject({ code: 0, out: 'Hello, Ada!' });
  });

  test('on a terminal no option is needed: the browser of the environment is opened with the address, as one argument', async () => {
    await using scene = await Scene.set();
    const [opened, browser] = [join(scene.desk.home, 'opened'), join(scene.desk.home, 'browser')];
    writeFileSync(
      browser,
      `#!/bin/sh\nprintf '%s\\n' "$#" "$@" > '${opened}.part' && mv '${opened}.part' '${opened}'\n`,
      { mode: 0o755 },
    );
    const env = { ...scene.desk.env(), ...scene.env, PATH: scene.desk.path(), BROWSER: browser };
    await using terminal = new Terminal(`slipway login ${scene.url}`, { cwd: scene.desk.home, env });
    expect(await terminal.type('', 'prompt=consent')).toContain('Log in here');
    const [count, url = ''] = (await eventually(() => existsSync(opened) && readFileSync(opened, 'utf8'))).split('\n');
    expect(count).toBe('1');
    const done = terminal.type('', 'the token is in');
    await browse(url, 'ada');
    await done;
    expect(await scene.run(...CALL, '--server', scene.url)).toMatchObject({ code: 0, out: 'Hello, Ada!' });
  });

  test('tokens are renewed before they end: by commands, one at a time, and by a connect that stays', async () => {
    await using scene = await Scene.set({ accessTokenTtl: 8 });
    expect((await scene.logIn(['--web'], (line) => browse(line, 'ada'))).code).toBe(0);
    const first = scene.kept();
    const client = new Client({ name: 'stays', version: '1' });
    const env = { ...scene.desk.env(), ...scene.env } as Record<string, string>;
    const args = [MAIN, 'connect', '--server-url', scene.url];
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env }));
    const call = (): Promise<unknown> => client.callTool({ name: 'hello__hello', arguments: { name: 'Ada' } });
    expect(await call()).toMatchObject({ content: [{ text: 'Hello, Ada!' }] });
    await eventually(async () => Date.now() > (first.session?.expiresAt ?? 0) + 500);
    // Several at once, as several programs are: the provider would take a refresh token that it sees twice for stolen.
    const io = { env: scene.env, signal: new AbortController().signal };
    const tokens = await Promise.all(Array.from({ length: 5 }, () => keptToken(new URL(scene.url), io)()));
    expect(new Set(tokens).size).toBe(1);
    expect(await scene.run(...CALL, '--server', scene.url)).toMatchObject({ code: 0, out: 'Hello, Ada!' });
    expect(await call()).toMatchObject({ content: [{ text: 'Hello, Ada!' }] });
    expect(scene.kept().token).not.toBe(first.token);
    await client.close();
  });

  test('a log-in that has ended says so, and how to begin again', async () => {
    await using scene = await Scene.set();
    expect((await scene.logIn(['--web'], (line) => browse(line, 'ada'))).code).toBe(0);
    const servers = {
      [scene.url]: { ...scene.kept(), session: { ...scene.kept().session, freshUntil: 1, expiresAt: 1 } },
    };
    (servers[scene.url] as { session: { refreshToken: string } }).session.refreshToken = 'stolen-and-revoked';
    writeFileSync(scene.file, JSON.stringify({ servers }));
    for (let times = 0; times < 2; times++) {
      const { code, err } = await scene.run(...CALL, '--server', scene.url);
      expect([code, err]).toEqual([1, expect.stringContaining(`hint: Run: slipway login ${scene.url}`)]);
    }
    expect(scene.kept().session?.refreshToken).toBeUndefined();
  });

  test('a provider that is away costs nothing while the token is good, and says who is away once it is not', async () => {
    await using scene = await Scene.set();
    expect((await scene.logIn(['--web'], (line) => browse(line, 'ada'))).code).toBe(0);
    expect(await scene.run(...CALL, '--server', scene.url)).toMatchObject({ out: 'Hello, Ada!' });
    await scene.idp[Symbol.asyncDispose]();
    const ending = (expiresAt: number): void => {
      const { token, session } = scene.kept();
      const servers = { [scene.url]: { token, session: { ...session, freshUntil: 1, expiresAt } } };
      writeFileSync(scene.file, JSON.stringify({ servers }));
    };
    ending(Date.now() + 600_000);
    expect(await scene.run(...CALL, '--server', scene.url)).toMatchObject({ code: 0, out: 'Hello, Ada!' });
    ending(1);
    const { code, err } = await scene.run(...CALL, '--server', scene.url);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`${scene.idp.issuer} does not answer. [authorization-failed]`),
    ]);
    expect(scene.kept().session?.refreshToken).toBeDefined();
    expect((await scene.run('logout', scene.url)).err).toContain('did not take the token back');
    expect(readFileSync(scene.file, 'utf8')).not.toContain('refreshToken');
  });

  test('whoever says no at the provider is not logged in, and a gateway without a provider says so', async () => {
    await using scene = await Scene.set();
    const { code, err } = await scene.logIn(['--web'], async (line) => {
      const { searchParams } = new URL(line);
      const back = new URL(searchParams.get('redirect_uri') ?? '');
      back.search = String(
        new URLSearchParams({ error: 'access_denied', state: searchParams.get('state') ?? '', iss: scene.idp.issuer }),
      );
      await fetch(back);
    });
    expect([code, err]).toEqual([1, expect.stringMatching(/lets nobody in: access_denied\. \[authorization-failed\]/)]);
    expect(() => scene.kept()).toThrow();
    const other = await scene.run('login', scene.url, '--web', '--issuer', 'https://evil.example');
    expect([other.code, other.err]).toEqual([64, expect.stringContaining(`It trusts ${scene.idp.issuer}`)]);
    scene.desk.push({
      'gateway.yaml': resource('Gateway', 'main', {}),
      'ada.yaml': undefined,
      'rights.yaml': undefined,
    });
    await scene.desk.sync();
    expect((await scene.run('login', scene.url, '--device')).err).toContain('sends nobody to an identity provider');
  });
});
