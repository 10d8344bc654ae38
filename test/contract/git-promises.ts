/** What a git source promises besides, whatever the transport. */
import { expect, test } from 'vitest';
import { gitSource } from '../../reconciler/source/git.ts';
import type { Source } from '../../reconciler/source/source.ts';
import { TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { contents, never } from './source.ts';

export interface Served extends AsyncDisposable {
  readonly repo: TestRepo;
  readonly url: string;
}

/** @param serve makes a repository with nothing in it */
export function gitPromises(serve: () => Promise<Served>): void {
  const setUp = async (): Promise<Served & { open: (ref?: string) => Source }> => {
    const stack = new AsyncDisposableStack();
    const served = stack.use(await serve());
    const dir = stack.use(tempDir());
    let count = 0;
    const open = (ref?: string): Source =>
      gitSource({ url: served.url, mirror: dir.at(`mirror-${count++}.git`), ...(ref === undefined ? {} : { ref }) });
    return { repo: served.repo, url: served.url, open, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  };

  test('whose lines are whose', async () => {
    await using served = await serve();
    using dir = tempDir();
    const { repo, url } = served;
    const first = repo.push({ 'prod/x:y.yaml': 'a\n---\nb\nc\n' }, 'Both');
    const second = repo.push({ 'prod/x:y.yaml': 'a\n---\nb\nd\n' }, 'The second');
    const third = repo.push({ 'other.yaml': 'x' }, 'Something else');
    await using source = gitSource({ url, path: 'prod', mirror: dir.at('m.git') });
    await source.fetch(never());
    const change = (from: number, last?: number, file = 'x:y.yaml', at = third) =>
      source.lastChange?.(at, file, { first: from, ...(last === undefined ? {} : { last }) }, never());
    expect(await change(1, 2)).toMatchObject({ id: first, subject: 'Both', author: 'Ada <ada@example.com>' });
    expect(await change(3)).toMatchObject({ id: second, subject: 'The second' });
    expect(await change(3, undefined, 'x:y.yaml', first)).toMatchObject({ id: first });
    expect(await change(1, 1, 'x:y.yaml', '--output=/tmp/x')).toBeUndefined();
    await expect(change(1, 1, 'none.yaml')).rejects.toThrow();
  });

  test('a revision says who asked for it, and why', async () => {
    await using it = await setUp();
    const id = it.repo.push({ 'a.yaml': 'a: 1\n' }, 'Füge a hinzu\n\nBecause.');
    const revision = await it.open().fetch(never());
    expect(revision).toMatchObject({ id, author: 'Ada <ada@example.com>', subject: 'Füge a hinzu' });
    expect(Date.parse(revision.at)).toBeGreaterThan(Date.now() - 60_000);
  });

  test.for(['main', 'refs/heads/main', 'light', 'annotated', 'refs/tags/annotated'])(
    '%s can be followed',
    async (ref) => {
      await using it = await setUp();
      const id = it.repo.push({ 'a.yaml': 'a: 1\n' });
      it.repo.git('tag', 'light');
      it.repo.git('tag', '--annotate', '--message', 'a tag', 'annotated');
      it.repo.git('push', '--quiet', '--tags', 'origin');
      const source = it.open(ref);
      expect(await source.probe(never())).toBe(id);
      expect((await source.fetch(never())).id).toBe(id);
      expect(await contents(source)).toEqual({ 'a.yaml': 'a: 1\n' });
    },
  );

  test('a commit id pins the config, whatever is pushed later', async () => {
    await using it = await setUp();
    const id = it.repo.push({ 'a.yaml': 'a: 1\n' });
    it.repo.push({ 'a.yaml': 'a: 2\n' });
    expect(await contents(it.open(id))).toEqual({ 'a.yaml': 'a: 1\n' });
    await expect(it.open('0'.repeat(39) + '1').fetch(never())).rejects.toMatchObject({ code: 'ref-not-found' });
  });

  test('a branch with a name that ends like another is not mixed up with it', async () => {
    await using it = await setUp();
    it.repo.push({ 'a.yaml': 'a: 1\n' });
    it.repo.git('push', '--quiet', 'origin', 'HEAD:refs/heads/team/main');
    const id = it.repo.push({ 'a.yaml': 'a: 2\n' });
    expect(await it.open('main').probe(never())).toBe(id);
    await expect(it.open('team').probe(never())).rejects.toMatchObject({ code: 'ref-not-found' });
  });

  test('several who fetch at once, while somebody pushes, all get what there is', async () => {
    await using it = await setUp();
    it.repo.push({ 'a.yaml': 'a: 0\n' });
    const source = it.open('main');
    for (let round = 1; round < 4; round++) {
      const fetching = Array.from({ length: 4 }, () => source.fetch(never()));
      const id = it.repo.push({ 'a.yaml': `a: ${round}\n` });
      const found = await Promise.all([...fetching, source.fetch(never())]);
      expect(found.at(-1)?.id).toBe(id);
      const given = new AbortController();
      const waiting = [source.fetch(never()), source.fetch(given.signal)];
      given.abort(new Error('given up'));
      expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    }
  });

  test('a force-push is followed, also back in time', async () => {
    await using it = await setUp();
    const first = it.repo.push({ 'a.yaml': 'a: 1\n' });
    it.repo.push({ 'a.yaml': 'a: 2\n' });
    const source = it.open('main');
    await source.fetch(never());
    it.repo.git('reset', '--quiet', '--hard', first);
    it.repo.push({ 'a.yaml': 'a: 3\n' });
    expect(await contents(source)).toEqual({ 'a.yaml': 'a: 3\n' });
    it.repo.git('push', '--quiet', '--force', 'origin', `${first}:main`);
    expect(await contents(source)).toEqual({ 'a.yaml': 'a: 1\n' });
  });

  test('a branch that was deleted is not found, and found again when it is back', async () => {
    await using it = await setUp();
    it.repo.push({ 'a.yaml': 'a: 1\n' });
    it.repo.git('push', '--quiet', 'origin', 'HEAD:prod');
    const source = it.open('prod');
    await source.fetch(never());
    it.repo.git('push', '--quiet', '--delete', 'origin', 'prod');
    await expect(source.probe(never())).rejects.toMatchObject({ code: 'ref-not-found' });
    await expect(source.fetch(never())).rejects.toMatchObject({ code: 'ref-not-found' });
    it.repo.git('push', '--quiet', 'origin', 'HEAD:prod');
    expect(await contents(source)).toEqual({ 'a.yaml': 'a: 1\n' });
  });

  test.for([undefined, 'main'])('an empty repository (ref: %s) waits for its first push', async (ref) => {
    await using it = await setUp();
    const source = it.open(ref);
    await expect(source.probe(never())).rejects.toMatchObject({ code: 'ref-not-found' });
    await expect(source.fetch(never())).rejects.toMatchObject({ code: 'ref-not-found' });
    const id = it.repo.push({ 'a.yaml': 'a: 1\n' });
    expect(await source.probe(never())).toBe(id);
    expect(await contents(source)).toEqual({ 'a.yaml': 'a: 1\n' });
  });

  test('a submodule is no config, and is not fetched', async () => {
    await using it = await setUp();
    using other = new TestRepo();
    const id = other.push({ 'x.yaml': 'x: 1\n' });
    it.repo.commit({ 'a.yaml': 'a: 1\n', '.gitmodules': `[submodule "m"]\n\tpath = m\n\turl = ${other.url}\n` });
    it.repo.git('update-index', '--add', '--cacheinfo', `160000,${id},m`);
    it.repo.git('commit', '--quiet', '--message', 'a submodule');
    it.repo.git('push', '--quiet', 'origin', 'HEAD');
    expect(await contents(it.open())).toEqual({ 'a.yaml': 'a: 1\n' });
  });

  test('a repository of 3000 files is read whole', async () => {
    await using it = await setUp();
    const files = Object.fromEntries(
      Array.from({ length: 3000 }, (_, index) => [`team-${index % 50}/server-${index}.yaml`, `index: ${index}\n`]),
    );
    it.repo.push(files);
    expect(await contents(it.open())).toEqual(files);
  });
}
