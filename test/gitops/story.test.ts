/**
 * A team's life with its config repo, by the real program: a signed pull request gets its plan, is merged and rolled out; a bad commit goes
 * back by itself and is reverted; a backup is made; and on a fresh machine, from the backup alone, there is nothing left to do.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { raw } from '../gateway/helpers/gateway.ts';
import { resource } from '../helpers/config.ts';
import { HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';
import { DELIVERIES, SECRET, type Delivery } from './helpers/deliveries.ts';
import { TestForge, TOKEN } from './helpers/forge.ts';
import { Signers, trustOf, type Person } from './helpers/signers.ts';

const HIDDEN = 'the-greeting-of-the-team';
const ref = (name: string, key: string) => ({ secretRef: { name, key } });

/** Commits what lies in the working tree, as somebody with a key, and pushes it. @returns the id */
function commit(
  desk: Desk,
  who: Person,
  message: string,
  to = 'main',
  args: readonly string[] = ['commit', '--quiet'],
): string {
  desk.git(desk.config, 'add', '--all');
  const env = {
    GIT_AUTHOR_NAME: who.name,
    GIT_AUTHOR_EMAIL: `${who.name}@example.com`,
    GIT_COMMITTER_NAME: who.name,
    GIT_COMMITTER_EMAIL: `${who.name}@example.com`,
  };
  execFileSync('git', [...who.config, ...args, '--gpg-sign', '--message', message], {
    cwd: desk.config,
    env: { ...process.env, ...env },
    stdio: 'pipe',
  });
  desk.git(desk.config, 'push', '--quiet', 'origin', `HEAD:refs/${to === 'main' ? 'heads/main' : to}`);
  return desk.git(desk.config, 'rev-parse', 'HEAD');
}

test(
  'signed PR → plan → merge → rollout → bad commit → rolled back → revert → backup → restore on a fresh machine',
  { timeout: 240_000 },
  async () => {
    await using forge = await TestForge.start('github');
    await using desk = new Desk();
    using signers = new Signers();
    const ada = signers.ssh('ada');
    const at = ['--state-dir', desk.state];
    const keyFile = join(desk.home, 'age.key');
    const env = { SLIPWAY_AGE_KEY_FILE: keyFile, FORGE_TOKEN: TOKEN, FORGE_HOOK: SECRET };
    const slipway = (...args: string[]) => desk.slipway(args, { env });

    // The first commit: whose commits count, who is told of requests, a value that only this host can read.
    const made = await slipway('secret', 'keygen', '--key-file', keyFile);
    const recipient = /age1[0-9a-z]+/.exec(`${made.out}${made.err}${readFileSync(keyFile, 'utf8')}`)?.[0] ?? '';
    const review = {
      forge: 'github',
      url: forge.url,
      repository: 'acme/mcp',
      token: ref('forge', 'token'),
      webhook: { secret: ref('forge', 'hook') },
    };
    desk.write({
      'gateway.yaml': resource('Gateway', 'main', { secrets: { recipients: [recipient] }, review }),
      'trust.yaml': trustOf({ mode: 'require' }, [ada]),
      'forge.yaml': resource('Secret', 'forge', {
        data: { token: { env: 'FORGE_TOKEN' }, hook: { env: 'FORGE_HOOK' } },
      }),
      'backup.yaml': resource('Backup', 'nightly', {}),
      'hello.mjs': HELLO_PROGRAM,
      'value.txt': HIDDEN,
    });
    expect(
      await slipway('secret', 'encrypt', 'team', 'greeting', '--from-file', 'value.txt', '--no-input'),
    ).toMatchObject({ code: 0 });
    const hello = (greeting: string): string => helloServer('hello', greeting);
    const secretive = helloServer('secretive').replace(
      'value: Hello',
      'valueFrom: { secretRef: { name: team, key: greeting } }',
    );
    desk.write({ 'value.txt': undefined, 'hello.yaml': hello('Hello'), 'secretive.yaml': secretive });
    commit(desk, ada, 'Start');
    const running = await desk.up(['--ref', 'main'], env);
    const url = await running.serving;
    const deliver = async ({ headers, body }: Delivery): Promise<number> =>
      (await raw(url, { method: 'POST', path: '/hooks/git', headers, body })).status;
    const applied = (id: string) => eventually(async () => (await desk.status()).lastApplied?.id === id);
    const says = async (server: string): Promise<string> => (await desk.call(server, 'hello', { name: 'Ada' })).out;
    expect(await says('hello')).toContain('Hello, Ada');
    expect(await says('secretive')).toContain(HIDDEN);

    // A pull request: its plan is a comment and a status, and nothing runs otherwise.
    desk.write({ 'hello.yaml': hello('Servus') });
    commit(desk, ada, 'Say it otherwise', 'pull/7/head');
    expect(await deliver(DELIVERIES.github.request())).toBe(202);
    await forge.until(() => forge.statuses.length > 0);
    expect(forge.comments[0]?.body).toContain('`+/- Server/hello` will be replaced (new beside old, no gap)');
    expect(forge.statuses.at(-1)).toMatchObject({ context: 'slipway/plan' });
    expect(await says('hello')).toContain('Hello, Ada');

    // It is merged, and rolled out without anybody asking.
    const topic = desk.git(desk.config, 'rev-parse', 'HEAD');
    desk.git(desk.config, 'reset', '--quiet', '--hard', 'HEAD~1');
    const merge = commit(desk, ada, 'Merge #7', 'main', ['merge', '--quiet', '--no-ff', topic]);
    expect(await deliver(DELIVERIES.github.push())).toBe(202);
    await applied(merge);
    expect(await says('hello')).toContain('Servus, Ada');

    // One that nobody signed is not heard.
    desk.write({ 'hello.yaml': hello('Forged') });
    desk.push({}, 'nobody signed this');
    expect((await desk.sync()).code).toBe(3);
    expect((await slipway('status', ...at)).out).toMatch(/Untrusted/);
    desk.git(desk.config, 'reset', '--quiet', '--hard', merge);
    desk.git(desk.config, 'push', '--quiet', '--force', 'origin', 'HEAD:main');

    // A bad one fails, and what was good stays.
    desk.write({
      'hello.yaml': hello('Bad').replace('command: [node, hello.mjs]', 'command: [node, -e, process.exit(3)]'),
    });
    const bad = commit(desk, ada, 'Make it worse');
    expect((await desk.sync()).code).toBe(1);
    const { servers } = await desk.status();
    expect(servers.find(({ name }) => name === 'hello')?.conditions).toContainEqual(
      expect.objectContaining({ reason: 'RolledBack' }),
    );
    expect(await says('hello')).toContain('Servus, Ada');
    desk.git(desk.config, 'fetch', '--quiet');
    desk.git(desk.config, 'revert', '--no-commit', bad);
    const good = commit(desk, ada, 'Revert "Make it worse"');
    expect((await desk.sync()).code).toBe(0);
    await applied(good);

    // A backup, and then the machine and the config are gone.
    expect(await slipway('backup', 'now', ...at)).toMatchObject({ code: 0 });
    expect(desk.git(desk.remote, 'log', '-p', 'slipway/backup')).not.toContain(HIDDEN);
    expect(desk.git(desk.remote, 'log', '-p', 'slipway/audit')).not.toContain(HIDDEN);
    await running.stop();

    await using fresh = new Desk();
    mkdirSync(fresh.config, { recursive: true });
    const restored = await fresh.slipway(['restore', 'latest', '--from', desk.remote], { env });
    expect(restored).toMatchObject({ code: 0 });
    fresh.git(fresh.config, 'push', '--quiet', 'origin', 'HEAD:main');
    // The restored commit is nobody's: it is looked at once more, and signed by who answers for it.
    const freshTip = commit(fresh, ada, 'Restored, and looked at', 'main', ['commit', '--quiet', '--allow-empty']);
    const again = await fresh.up(['--ref', 'main'], env);
    await again.serving;
    await eventually(async () => (await fresh.status()).lastApplied?.id === freshTip);
    expect((await fresh.call('hello', 'hello', { name: 'Ada' })).out).toContain('Servus, Ada');
    expect((await fresh.call('secretive', 'hello', { name: 'Ada' })).out).toContain(HIDDEN);
    const plan = await fresh.slipway(['plan', '--repo', fresh.remote, '--ref', 'main', '--state-dir', fresh.state], {
      env,
    });
    expect(plan).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do') });
    const config = (one: Desk): string => one.git(one.config, 'ls-tree', '-r', 'HEAD');
    expect(config(fresh)).toBe(config(desk));
  },
);
