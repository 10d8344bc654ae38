/** Pull requests: the plan of the merge result, told in one comment and a commit status, whatever the forge does meanwhile. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { statusText } from '../../cli/print/status.ts';
import { secretOpener } from '../../reconciler/secrets/secrets.ts';
import { mergedIn } from '../../reconciler/source/merge.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import { raw } from '../gateway/helpers/gateway.ts';
import { memoryServer, resource, server } from '../helpers/config.ts';
import { git } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { DELIVERIES, SECRET, type Request } from './helpers/deliveries.ts';
import { TestForge, TOKEN, type TestForgeName } from './helpers/forge.ts';

/** A Slipway that follows main, and a forge that keeps the requests of the same repository. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly rig: Rig;
  readonly forge: TestForge;
  readonly #name: TestForgeName;
  readonly opened: string[] = [];

  private constructor(rig: Rig, forge: TestForge, name: TestForgeName, opened: string[]) {
    this.rig = this.#stack.use(rig);
    this.forge = this.#stack.use(forge);
    this.#name = name;
    this.opened = opened;
  }

  static async make(name: TestForgeName, more: Record<string, string> = {}): Promise<Scene> {
    const forge = await TestForge.start(name);
    const opened: string[] = [];
    const open = secretOpener({ sealed: '', blobs: '' }, { HOOK: SECRET, TOKEN });
    const secrets: OpenSecret = (use) => {
      opened.push(use.secret);
      return open(use);
    };
    const rig = await Rig.make({ gateway: true, reviews: { secrets, pausesMs: [10, 10, 10, 10] } });
    const scene = new Scene(rig, forge, name, opened);
    const review = {
      forge: name,
      url: forge.url,
      repository: 'acme/mcp',
      token: { secretRef: { name: 'forge', key: 'token' } },
      webhook: { secret: { secretRef: { name: 'forge', key: 'hook' } } },
    };
    await rig.apply({
      'gw.yaml': resource('Gateway', 'main', { review }),
      'secret.yaml': resource('Secret', 'forge', { data: { hook: { env: 'HOOK' }, token: { env: 'TOKEN' } } }),
      'a.yaml': memoryServer('a'),
      ...more,
    });
    return scene;
  }

  /** Commits to a branch of somebody's fork, from where main is or was, and keeps it as forges do. @returns the head's id */
  propose(files: Parameters<Rig['apply']>[0], { number = 7, onto = 'main' } = {}): string {
    const { repo } = this.rig;
    repo.git('switch', '--quiet', '--force-create', `request-${number}`, onto);
    const id = repo.commit(files, `Request ${number}`);
    const ref = this.#name === 'gitlab' ? `refs/merge-requests/${number}/head` : `refs/pull/${number}/head`;
    repo.git('push', '--quiet', '--force', 'origin', `HEAD:${ref}`);
    repo.git('switch', '--quiet', 'main');
    return id;
  }

  async tell(request: Request = {}): Promise<void> {
    const { headers, body } = DELIVERIES[this.#name].request(request);
    const { status } = await raw(this.rig.url, { method: 'POST', path: '/hooks/git', headers, body });
    expect(status).toBe(202);
  }

  row(number = 7) {
    return this.rig.statuses.at(-1)?.review?.requests.find((one) => one.number === number);
  }

  /** Resolves once a commit's plan was told. */
  async told(head: string, number = 7): Promise<void> {
    await this.rig.untilStatus(() => this.row(number)?.state === 'told' && this.row(number)?.head === head);
  }

  /** Proposes, tells, and waits. @returns the comment and the last commit status */
  async reviewed(files: Parameters<Rig['apply']>[0], request: Request = { action: 'synchronize' }) {
    const head = this.propose(files);
    await this.tell(request);
    await this.told(head);
    return { head, comment: this.forge.comments.at(-1)?.body ?? '', status: this.forge.statuses.at(-1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const SAYS: Record<TestForgeName, Record<'good' | 'bad', string>> = {
  github: { good: 'success', bad: 'failure' },
  gitlab: { good: 'success', bad: 'failed' },
  gitea: { good: 'success', bad: 'failure' },
};

describe.each(['github', 'gitlab', 'gitea'] as const)('%s', (name) => {
  test('one comment for all pushes of a request, and a status for each', async () => {
    await using scene = await Scene.make(name);
    const { forge, rig } = scene;
    const { good, bad } = SAYS[name];
    const before = rig.snapshots.length;
    const first = await scene.reviewed({ 'b.yaml': memoryServer('b') }, { action: 'opened' });
    expect(first.comment).toMatch(
      /^<!-- slipway:plan [0-9a-f]{32} -->\n### Slipway: plan of `[0-9a-f]{8}` merged into `/,
    );
    expect(first.comment).toContain('**Plan: 1 to create, 0 to update, 0 to replace, 0 to delete.**');
    expect(first.status).toMatchObject({
      commit: first.head,
      state: good,
      description: '1 to create, 0 to update, 0 to replace, 0 to delete',
    });
    expect([first.status?.['context'], first.status?.['name']]).toContain('slipway/plan');
    expect(scene.row()).toMatchObject({ verdict: 'changes', url: expect.stringMatching(/^http/) });

    const invalid = await scene.reviewed({ 'b.yaml': memoryServer('b', 'v1', { comand: 1 }) });
    expect(invalid.comment).toMatch(/The config is not valid: 1 issue[^]*`b\.yaml:1:/);
    expect(invalid.status).toMatchObject({
      commit: invalid.head,
      state: bad,
      description: 'The config is not valid: 1 issue',
    });
    expect(forge.comments.length).toBe(1);
    // Planning applied nothing, and what was applied is main.
    expect(rig.snapshots.slice(before).every(({ servers }) => Object.keys(servers).join() === 'a')).toBe(true);
    await scene.tell({ action: 'closed' });
    expect(rig.reviews?.status()?.requests).toEqual([]);
    expect(new Set(forge.asked.map(({ authorization }) => authorization?.split(' ')[1]))).toEqual(new Set([TOKEN]));
    expect(`${rig.logs.join()}${JSON.stringify(rig.statuses)}`).not.toContain(TOKEN);
  });

  test('its comment is found behind however many others, and nobody can plant one', async () => {
    await using scene = await Scene.make(name);
    const { forge } = scene;
    forge.comments.push(...Array.from({ length: 130 }, (_, n) => ({ id: n + 1, body: `<!-- slipway:plan ${n} -->` })));
    await scene.reviewed({ 'b.yaml': memoryServer('b') });
    forge.comments.push(...Array.from({ length: 130 }, (_, n) => ({ id: n + 1000, body: 'And what about tests?' })));
    await scene.reviewed({ 'b.yaml': memoryServer('b', 'v2'), 'c.yaml': memoryServer('c') });
    const own = forge.comments.filter(({ body }) => body.includes('### Slipway'));
    expect(own).toMatchObject([{ id: 131, body: expect.stringContaining('2 to create') }]);
    // Another request has a comment, and a mark, of its own.
    const head = scene.propose({ 'd.yaml': memoryServer('d') }, { number: 8 });
    await scene.tell({ number: 8 });
    await scene.told(head, 8);
    expect(
      new Set(forge.comments.filter(({ body }) => body.includes('### Slipway')).map(({ body }) => body.split('\n')[0]))
        .size,
    ).toBe(2);
  });
});

test('what is blocked, does nothing or conflicts is told so, too', async () => {
  await using scene = await Scene.make('github');
  const { forge, rig } = scene;
  const blocked = await scene.reviewed({
    'b.yaml': resource('Server', 'b', { image: 'example/b:1', isolation: { privileged: true } }),
  });
  expect(blocked.comment).toContain('**Blocked.**');
  expect(blocked.status).toMatchObject({
    commit: blocked.head,
    state: 'failure',
    description: expect.stringMatching(/^Blocked \(unsafe-feature\): /),
  });
  const nothing = await scene.reviewed({ 'notes.txt': 'hello' });
  expect(nothing.comment).toContain('**Nothing to do: what runs is what the config asks for.**');
  expect(nothing.status).toMatchObject({ commit: nothing.head, state: 'success' });
  // Somebody merged something else meanwhile, in the same lines.
  const head = scene.propose({ 'a.yaml': memoryServer('a', 'v2') });
  await rig.apply({ 'a.yaml': memoryServer('a', 'v3') });
  await scene.tell({ action: 'synchronize' });
  await scene.told(head);
  expect(forge.comments.at(-1)?.body).toContain(
    '**It cannot be merged: there are conflicts.** There is a plan once that is resolved.\n\n- `a.yaml`',
  );
  expect(forge.statuses.at(-1)).toMatchObject({ commit: head, state: 'failure' });
  expect(forge.comments.length).toBe(1);
});

test('the plan is of the merge result: what main has by now is not undone by a request that began before', async () => {
  await using scene = await Scene.make('github');
  const old = scene.rig.repo.git('rev-parse', 'main');
  await scene.rig.apply({ 'b.yaml': memoryServer('b') });
  const head = scene.propose({ 'c.yaml': memoryServer('c') }, { onto: old });
  await scene.tell();
  await scene.told(head);
  expect(scene.row()).toMatchObject({
    verdict: 'changes',
    summary: '1 to create, 0 to update, 0 to replace, 0 to delete',
  });
  // A history that has nothing in common with ours is no reason to stumble.
  scene.rig.repo.git('switch', '--quiet', '--orphan', 'other');
  scene.rig.repo.commit({ 'x.yaml': memoryServer('x') });
  scene.rig.repo.git('push', '--quiet', '--force', 'origin', 'HEAD:refs/pull/7/head');
  await scene.tell({ action: 'synchronize' });
  await scene.told(scene.rig.repo.git('rev-parse', 'HEAD'));
  expect(scene.row()).toMatchObject({ verdict: 'failure', summary: expect.stringContaining('nothing in common') });
  expect(await scene.rig.overall()).toBe('True=Succeeded');
});

test('a push to main makes the plans of open requests anew, and only what is another one is told', async () => {
  await using scene = await Scene.make('github');
  const { forge, rig } = scene;
  const pushed = async (files: Parameters<Rig['apply']>[0]): Promise<void> => {
    rig.repo.push(files);
    const before = scene.row()?.base;
    const { headers, body } = DELIVERIES.github.push();
    await raw(rig.url, { method: 'POST', path: '/hooks/git', headers, body });
    await rig.untilStatus(() => scene.row()?.state === 'told' && scene.row()?.base !== before);
  };
  const { head } = await scene.reviewed({ 'b.yaml': memoryServer('b') });
  const asked = forge.asked.length;
  await pushed({ 'notes.txt': 'nothing that matters' });
  expect(forge.asked.length).toBe(asked);
  await pushed({ 'b.yaml': memoryServer('b', 'v1') });
  expect(scene.row()).toMatchObject({ head, verdict: 'success' });
  expect(forge.comments).toMatchObject([{ body: expect.stringContaining('Nothing to do') }]);
});

test('a request with more than can be parsed in passing gets no plan, and is told so', async () => {
  await using scene = await Scene.make('github');
  const long = `# ${'x'.repeat(900_000)}\n`;
  const many = Object.fromEntries([1, 2, 3].map((n) => [`many/s${n}.yaml`, long + memoryServer(`s${n}`)]));
  const { comment } = await scene.reviewed(many);
  expect(comment).toContain('It changes more than 1000 files of config');
  expect(scene.forge.statuses.at(-1)).toMatchObject({ state: 'failure' });
});

test('nothing of a request is run, and none of its secrets is opened', async () => {
  await using scene = await Scene.make('github');
  const mark = join(scene.rig.repo.root, 'was-run');
  const evil = `#!/bin/sh\ntouch ${mark}\n`;
  const head = scene.propose({
    '.gitattributes': '*.yaml merge=evil filter=evil diff=evil\n',
    '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch x"\n',
    'hooks/post-checkout': { executable: evil },
    'run.sh': { executable: evil },
    'b.yaml': server('b', 'no-such-program', [], { command: ['./run.sh'], files: ['run.sh'] }),
    's.yaml': resource('Secret', 'stolen', { data: { key: { file: '/etc/hostname' } } }),
    'r.yaml': resource('Server', 'r', {
      url: 'https://mcp.example.com/mcp',
      auth: { bearer: { secretRef: { name: 'stolen', key: 'key' } } },
    }),
  });
  await scene.tell();
  await scene.told(head);
  expect(scene.row()).toMatchObject({ verdict: 'changes', summary: expect.stringContaining('3 to create') });
  expect(existsSync(mark)).toBe(false);
  expect(new Set(scene.opened)).toEqual(new Set(['forge']));
});

test('what strangers push lies in a repository of its own, which is made anew when it is broken', async () => {
  await using scene = await Scene.make('github');
  await scene.reviewed({ 'b.yaml': memoryServer('b') });
  const { mirror } = scene.rig.state.paths;
  const review = mirror.replace('mirror.git', 'review.git');
  const refs = git(mirror, 'for-each-ref', '--format=%(refname)');
  expect(refs).not.toContain('refs/slipway/base');
  for (const lost of ['HEAD', 'refs/slipway/head.lock']) {
    if (lost === 'HEAD') rmSync(join(review, lost));
    else writeFileSync(join(review, lost), '');
    await scene.reviewed({ 'b.yaml': memoryServer('b', lost.length.toString()) });
  }
  expect(scene.row()).toMatchObject({ state: 'told', verdict: 'changes' });
  // What they leave there is bounded.
  const left = join(review, 'left-behind');
  for (const maxKib of [1e6, 0]) {
    writeFileSync(left, '');
    const options = { url: scene.rig.repo.url, ref: 'main', mirror, path: '', head: 'refs/pull/7/head', maxKib };
    const { source } = await mergedIn(options, new AbortController().signal);
    expect([existsSync(left), source !== undefined]).toEqual([maxKib > 0, true]);
  }
  const events = scene.rig.reconciler.events.list().map(({ type, reason }) => `${type} ${reason}`);
  expect(events).toContain('Normal Reviewed');
});

test('a request that takes reviews over is judged by the settings in force, not by its own', async () => {
  await using scene = await Scene.make('github');
  await using evil = await TestForge.start('github');
  const own = {
    forge: 'github',
    url: evil.url,
    repository: 'acme/mcp',
    token: { secretRef: { name: 'forge', key: 'token' } },
  };
  await scene.reviewed({ 'gw.yaml': resource('Gateway', 'main', { review: own }) });
  expect(evil.asked).toEqual([]);
});

test('a forge that is away is asked again, and nothing else waits for it', async () => {
  await using scene = await Scene.make('github');
  const { forge, rig } = scene;
  forge.failures = [503, 502, 500];
  const errors = (): string[] =>
    rig.statuses.flatMap(({ review }) => review?.requests.flatMap(({ error }) => error ?? []) ?? []);
  const { comment } = await scene.reviewed({ 'b.yaml': memoryServer('b') });
  expect(comment).toContain('1 to create');
  expect(errors().join()).toMatch(/The forge answered with 50[023]: no, 50/);
  expect(scene.row()).not.toHaveProperty('error');

  // Away for longer than anybody waits: told, and over with the next push.
  forge.failures = Array.from({ length: 60 }, () => 503);
  const head = scene.propose({ 'b.yaml': memoryServer('b', 'v2') });
  await scene.tell({ action: 'synchronize' });
  await rig.untilStatus(() => scene.row()?.state === 'failed');
  expect(scene.row()).toMatchObject({ head, verdict: 'changes', error: 'The forge answered with 503: no, 503.' });
  expect(statusText(await rig.reconciler.status(), [], { paint: (_, text) => text })).toMatch(
    /Review +#7 changes: 1 to create.*; The forge answered with 503/,
  );
  await rig.apply({ 'c.yaml': memoryServer('c') });
  expect(await rig.overall()).toBe('True=Succeeded');
  forge.failures = [];
  await scene.reviewed({ 'b.yaml': memoryServer('b', 'v3') });

  // What no pause heals is not asked twice; a comment that is refused does not keep back the status.
  forge.failures = [403];
  const asked = forge.asked.length;
  const refused = scene.propose({ 'b.yaml': memoryServer('b', 'v4') });
  await scene.tell({ action: 'synchronize' });
  await rig.untilStatus(() => scene.row()?.state === 'failed');
  expect(scene.row()?.error).toBe('The forge answered with 403: no, 403.');
  expect(forge.asked.slice(asked).map(({ method }) => method)).toEqual(['GET', 'POST']);
  expect(forge.statuses.at(-1)).toMatchObject({ commit: refused });
});

test('a newer push takes the place of an older one: what was planned before is never told after it', async () => {
  await using scene = await Scene.make('github');
  const { forge } = scene;
  const gate = Promise.withResolvers<void>();
  forge.held = gate.promise;
  scene.propose({ 'b.yaml': memoryServer('b') });
  await scene.tell();
  await forge.until(() => forge.asked.length === 1);
  const heads = [2, 3, 4].map((n) => ({ n, head: '' }));
  for (const one of heads) {
    one.head = scene.propose({ 'b.yaml': memoryServer('b', `v${one.n}`), 'c.yaml': memoryServer('c') });
    await scene.tell({ action: 'synchronize' });
  }
  gate.resolve();
  await scene.told(heads.at(-1)?.head ?? '');
  expect(forge.statuses.map(({ commit }) => commit)).toEqual([heads.at(-1)?.head]);
  expect(forge.comments).toMatchObject([{ body: expect.stringContaining('2 to create') }]);
});

test('many requests at once: each gets its plan, and what waits is bounded', async () => {
  await using scene = await Scene.make('github');
  const { forge } = scene;
  const numbers = [11, 12, 13, 14];
  const heads = numbers.map((number) => scene.propose({ [`s${number}.yaml`]: memoryServer(`s${number}`) }, { number }));
  for (const number of numbers) await scene.tell({ number });
  for (const [index, number] of numbers.entries()) await scene.told(heads[index] ?? '', number);
  expect(forge.comments.length).toBe(4);
  expect(forge.statuses.map(({ commit }) => commit).sort()).toEqual(heads.toSorted());

  // Whoever can open one request can open a thousand.
  const { request } = DELIVERIES.github;
  const opened = Array.from({ length: 51 }, async (_, n) => {
    const { headers, body } = request({ number: 100 + n });
    return scene.rig.reviews?.hooks({ path: '', headers, body: async () => Buffer.from(body) });
  });
  const answers = await Promise.allSettled(opened);
  const refusals = answers.filter(({ status }) => status === 'rejected');
  expect(answers.length - refusals.length).toBeLessThanOrEqual(50);
  expect(refusals.at(-1)).toMatchObject({ reason: { code: 'concurrency-limited' } });
});
