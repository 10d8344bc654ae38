/** Whose commits are accepted: real keys, real signatures, real git; what is refused leaves what runs alone. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { judge } from '../../reconciler/trust/judge.ts';
import { gitSource } from '../../reconciler/source/git.ts';
import { trustOf as rulesOf } from '../../reconciler/trust/floor.ts';
import type { Accepted } from '../../reconciler/applied.ts';
import { parseFile } from '../../schemas/parse.ts';
import { checkTogether } from '../../schemas/refs.ts';
import { memoryServer } from '../helpers/config.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';
import { commitAs, Signers, trustOf, type Person } from './helpers/signers.ts';

const never = (): AbortSignal => new AbortController().signal;
const signers = new Signers();
afterAll(() => signers[Symbol.dispose]());
const ada = signers.ssh('ada');
const bob = signers.ssh('bob');
const mallory = signers.ssh('mallory');

function rules(spec: object, people: readonly Person[] = []) {
  const { resources, issues } = parseFile('trust.yaml', Buffer.from(trustOf(spec, people)));
  expect([...issues, ...checkTogether(resources)]).toEqual([]);
  return rulesOf(resources);
}

/** A repo, and what its tip is judged to be after something was accepted. */
class Court implements Disposable {
  final: string[] = [];
  readonly #dir = tempDir();
  readonly repo = new TestRepo();
  readonly source = gitSource({ url: this.repo.url, ref: 'main', mirror: this.#dir.at('mirror.git') });

  async judge(trust: ReturnType<typeof rules>, known?: string, floor: ReturnType<typeof rules> = []) {
    const { id } = await this.source.fetch(never());
    const follows = this.source.repository?.follows ?? '';
    const accepted: Accepted | undefined = known === undefined ? undefined : { commit: known, follows, trust };
    const asked = { source: this.source, commit: id, accepted, final: this.final };
    return judge({ ...asked, floor: known === undefined ? trust : floor }, never());
  }

  /** Why it is refused. */
  async refusal(...args: Parameters<Court['judge']>): Promise<string> {
    const error = await this.judge(...args).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'untrusted', row: { exit: 3 } });
    return (error as Error).message;
  }

  [Symbol.dispose](): void {
    this.repo[Symbol.dispose]();
    this.#dir[Symbol.dispose]();
  }
}

describe('one signature', () => {
  test.each(['ed25519', 'ecdsa', 'rsa'])('an SSH key of type %s is known', async (type) => {
    using court = new Court();
    const person = signers.ssh('carol', type);
    commitAs(court.repo, person, { 'a.yaml': 'a' });
    expect(await court.judge(rules({}, [ada, person]))).toEqual({ signer: 'carol', warnings: [] });
  });

  test('unsigned, unknown, of another namespace, tampered with: each says what is wrong, with the commit and the signer', async () => {
    using court = new Court();
    const { repo } = court;
    const trust = rules({}, [ada]);
    const id = commitAs(repo, undefined, {}, { message: 'Sneak in' });
    expect(await court.refusal(trust)).toBe(
      `Commit ${id.slice(0, 8)} (Sneak in, by nobody <nobody@example.com>) is not signed.`,
    );
    commitAs(repo, mallory, {});
    expect(await court.refusal(trust)).toMatch(
      /by mallory <.+ is signed with the SSH key SHA256:\S+, which is no key of a signer in trust\.yaml:1\.$/,
    );
    commitAs(repo, ada, { 'a.yaml': 'a: 1\n' }, { message: 'What I signed' });
    expect((await court.judge(trust)).signer).toBe('ada');
    // Another message over the same signature.
    const raw = repo.git('cat-file', 'commit', 'HEAD');
    const rewrite = (text: string): void => {
      const made = execFileSync('git', ['hash-object', '-t', 'commit', '-w', '--stdin', '--literally'], {
        cwd: repo.work,
        input: `${text}\n`,
        encoding: 'utf8',
      }).trim();
      repo.git('push', '--quiet', '--force', 'origin', `${made}:main`);
    };
    rewrite(raw);
    expect((await court.judge(trust)).signer).toBe('ada');
    rewrite(raw.replace('What I signed', 'What I did not'));
    expect(await court.refusal(trust)).toContain('a signature that does not fit it');
    const [, signature = ''] = /^(gpgsig [\s\S]+?-----END SSH SIGNATURE-----\n)/m.exec(raw) ?? [];
    rewrite(raw.replace(signature, signature + signature.replace('gpgsig', 'gpgsig-sha256')));
    expect(await court.refusal(trust)).toContain('of a kind that cannot be checked');
    rewrite(raw.replace(/SSH SIGNATURE/g, 'SIGNED MESSAGE'));
    expect(await court.refusal(trust)).toContain('of a kind that cannot be checked');
  });

  test('a key counts from and until when it says, and not at all once it is revoked', async () => {
    using court = new Court();
    const keyed = (more: object) => rules({ signers: [{ name: 'ada', keys: [{ ...ada.key, ...more }] }] });
    commitAs(court.repo, ada, {}, { date: '2026-06-01T12:00:00Z' });
    const window = { validFrom: '2026-06-01T12:00:00Z', validUntil: '2026-06-01T12:00:01Z' };
    expect((await court.judge(keyed(window))).signer).toBe('ada');
    expect(await court.refusal(keyed({ validFrom: '2026-06-01T14:00:01+02:00' }))).toMatch(
      /signed by ada .+ valid from 2026-06-01T12:00:01\.000Z, and is of 2026-06-01T12:00:00/,
    );
    expect(await court.refusal(keyed({ validUntil: '2026-06-01T12:00:00Z' }))).toContain('valid until 2026-06-01T12');
    expect(await court.refusal(keyed({ revoked: true }))).toMatch(/signed by ada with the SSH key .+ was revoked/);
  });

  test('OpenPGP: known by a key of the Trust alone; unknown, expired and revoked ones are told apart', async () => {
    using court = new Court();
    const [grace, heidi, ivan] = [signers.gpg('grace'), signers.gpg('heidi', 'seconds=60'), signers.gpg('ivan')];
    const trust = rules({}, [ada, grace, heidi]);
    commitAs(court.repo, grace, {});
    expect(await court.judge(trust)).toEqual({ signer: 'grace', warnings: [] });
    expect(await court.refusal(rules({}, [ada]))).toMatch(
      /signed with the OpenPGP key [0-9A-F]{16,40}, which is no key/,
    );
    commitAs(court.repo, heidi, {});
    expect(await court.refusal(trust)).toMatch(/signed by heidi with the OpenPGP key .+, which has expired/);
    commitAs(court.repo, ivan, {});
    expect(await court.refusal(trust)).toContain('no key of a signer');
    expect((await court.judge(rules({}, [ivan]))).signer).toBe('ivan');
    expect(await court.refusal(rules({}, [signers.revoked(ivan)]))).toMatch(/signed by ivan .+ was revoked/);
    const raw = court.repo.git('cat-file', 'commit', 'HEAD');
    const made = execFileSync('git', ['hash-object', '-t', 'commit', '-w', '--stdin'], {
      cwd: court.repo.work,
      input: `${raw} and more\n`,
      encoding: 'utf8',
    }).trim();
    court.repo.git('push', '--quiet', '--force', 'origin', `${made}:main`);
    expect(await court.refusal(rules({}, [ivan]))).toContain('a signature that does not fit it');
  });

  test('settings of whoever runs Slipway decide nothing', async () => {
    using court = new Court();
    using dir = tempDir();
    const allowed = dir.at('allowed');
    const env = { GIT_CONFIG_COUNT: '2', GIT_CONFIG_KEY_0: 'gpg.ssh.allowedSignersFile', GIT_CONFIG_VALUE_0: allowed };
    const more = { GIT_CONFIG_KEY_1: 'gpg.ssh.program', GIT_CONFIG_VALUE_1: '/bin/true', GNUPGHOME: dir.path };
    commitAs(court.repo, mallory, {});
    writeFileSync(allowed, `* ${'ssh' in mallory.key ? mallory.key.ssh : ''}\n`);
    Object.assign(process.env, env, more);
    try {
      expect(await court.refusal(rules({}, [ada]))).toContain('no key of a signer');
    } finally {
      for (const name of Object.keys({ ...env, ...more })) delete process.env[name];
    }
  });
});

test('a plain folder has no commits: nothing of it can be signed as a floor asks for', async () => {
  const asked = { source: {}, commit: 'f00', accepted: undefined, final: [] };
  await expect(judge({ ...asked, floor: rules({}, [ada]) }, never())).rejects.toMatchObject({ code: 'untrusted' });
  expect((await judge({ ...asked, floor: rules({ mode: 'warn' }, [ada]) }, never())).warnings).toHaveLength(1);
  expect((await judge({ ...asked, floor: rules({ mode: 'off' }, [ada]) }, never())).warnings).toEqual([]);
});

describe('since what was accepted', () => {
  test('each commit counts, merges included; with `tip` the newest alone does', async () => {
    using court = new Court();
    const { repo } = court;
    const base = commitAs(repo, undefined, { 'a.yaml': 'a' });
    commitAs(repo, ada, { 'a.yaml': 'b' });
    const [each, tip] = [rules({}, [ada, bob]), rules({ commits: 'tip' }, [ada, bob])];
    expect((await court.judge(each, base)).signer).toBe('ada');
    const hidden = commitAs(repo, undefined, { 'a.yaml': 'c' }, { message: 'Hidden' });
    commitAs(repo, bob, { 'a.yaml': 'd' });
    expect(await court.refusal(each, base)).toContain(`${hidden.slice(0, 8)} (Hidden`);
    expect((await court.judge(tip, base)).signer).toBe('bob');
    // On the other side of a merge, and the merge itself.
    const start = commitAs(repo, ada, { 'a.yaml': 'e' }, { args: ['commit', '--quiet', '--amend'] });
    repo.git('checkout', '--quiet', '-b', 'side');
    const side = commitAs(repo, undefined, { 'b.yaml': 'b' }, { message: 'Aside', push: false });
    repo.git('checkout', '--quiet', '-b', 'again', start);
    commitAs(repo, ada, { 'c.yaml': 'c' }, { push: false });
    commitAs(repo, ada, {}, { args: ['merge', '--quiet', '--no-ff', 'side'] });
    expect(await court.refusal(each, start)).toContain(`${side.slice(0, 8)} (Aside`);
    repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    repo.git('branch', '--quiet', '--force', 'side', start);
    repo.git('checkout', '--quiet', 'side');
    commitAs(repo, bob, { 'b.yaml': 'b' }, { push: false });
    commitAs(repo, undefined, {}, { args: ['merge', '--quiet', '--no-ff', 'again'], message: 'A merge' });
    expect(await court.refusal(each, start)).toContain('(A merge');
    repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    commitAs(repo, bob, {}, { args: ['merge', '--quiet', '--no-ff', 'again'] });
    expect((await court.judge(each, start)).signer).toBe('bob');
  });

  test('an older commit, signed as it is, cannot be brought back, but by a signer who says so', async () => {
    using court = new Court();
    const { repo } = court;
    const trust = rules({}, [ada]);
    const old = commitAs(repo, ada, { 'a.yaml': 'old' });
    const now = commitAs(repo, ada, { 'a.yaml': 'new' });
    repo.git('push', '--quiet', '--force', 'origin', `${old}:main`);
    expect(await court.refusal(trust, now)).toMatch(/does not build on .{8}, the last that was accepted/);
    repo.git('reset', '--quiet', '--hard', old);
    const meant = 'Start anew\n\nSlipway-Allow: rewind';
    commitAs(repo, undefined, {}, { message: meant });
    expect(await court.refusal(rules({ mode: 'require', commits: 'tip' }, [ada]), now)).toContain('does not build on');
    commitAs(repo, ada, {}, { message: meant, args: ['commit', '--quiet', '--allow-empty', '--amend'] });
    expect(await court.judge(trust, now)).toMatchObject({ signer: 'ada' });
    expect((await court.judge(rules({ mode: 'warn' }, [ada]), now)).warnings).toEqual([]);
    court.final.push('rewind');
    expect(await court.refusal(trust, now)).toContain('does not build on');
  });

  test('where nothing was accepted yet, `since` says from where on commits count', async () => {
    using court = new Court();
    const { repo } = court;
    const since = commitAs(repo, undefined, {});
    const unsigned = commitAs(repo, undefined, {});
    commitAs(repo, ada, {});
    expect((await court.judge(rules({}, [ada]))).signer).toBe('ada');
    expect(await court.refusal(rules({ since }, [ada]))).toContain(unsigned.slice(0, 8));
    expect((await court.judge(rules({ since: unsigned }, [ada]))).signer).toBe('ada');
    expect(await court.refusal(rules({ since: '1'.repeat(40) }, [ada]))).toContain('does not build on 11111111');
  });

  test('mode warn tells and lets pass, off does neither; an unknown signer’s Slipway-Allow is worth nothing', async () => {
    using court = new Court();
    const { repo } = court;
    const base = commitAs(repo, undefined, {});
    const message = 'Clear up\n\nSlipway-Allow: mass-delete';
    commitAs(repo, undefined, {}, { message });
    const [warn, off] = [rules({ mode: 'warn' }, [ada]), rules({ mode: 'off' }, [ada])];
    const told = await court.judge(warn, base);
    expect(told.warnings).toMatchObject([expect.stringContaining('is not signed')]);
    expect(told.permit).toBeUndefined();
    expect(await court.judge(off, base)).toMatchObject({ warnings: [], permit: { guards: ['mass-delete'] } });
    const id = commitAs(repo, ada, {}, { message });
    const permit = { guards: ['mass-delete'], by: `Slipway-Allow in commit ${id.slice(0, 8)}, signed by ada` };
    expect((await court.judge(warn, base)).permit).toEqual(permit);
    // Both the floor's rules and the config's judge, each for itself.
    expect((await court.judge(warn, id, rules({}, [bob]))).signer).toBe('ada');
    commitAs(repo, ada, {});
    expect(await court.refusal(warn, id, rules({}, [bob]))).toContain('no key of a signer');
  });
});

describe('files that only some may change', () => {
  const paths = [{ files: ['policies/**', 'trust.yaml'], signers: ['ada'] }];
  const trust = rules({ mode: 'off', paths }, [ada, bob]);

  test('each commit that touches them is judged by its own signature, deletions and first commits included', async () => {
    using court = new Court();
    const { repo } = court;
    const base = commitAs(repo, ada, { 'policies/p.yaml': 'p', 'trust.yaml': 't', 'servers/s.yaml': 's' });
    commitAs(repo, undefined, { 'servers/s.yaml': 's2', 'other/policies/p.yaml': 'mine' });
    expect((await court.judge(trust, base)).warnings).toEqual([]);
    commitAs(repo, ada, { 'policies/deep/er/q.yaml': 'q' });
    commitAs(repo, bob, { 'servers/s.yaml': 's3' });
    expect((await court.judge(trust, base)).signer).toBe('bob');
    for (const files of [{ 'policies/new.yaml': 'x' }, { 'policies/p.yaml': null }, { 'trust.yaml': 'mine' }]) {
      const before = repo.git('rev-parse', 'HEAD');
      const id = commitAs(repo, bob, files, { message: 'Help myself' });
      // A later commit that makes it good does not make it undone.
      commitAs(repo, ada, {});
      expect(await court.refusal(trust, base)).toMatch(
        new RegExp(
          `^Only ada may change (policies/|trust).+\\(trust\\.yaml:1\\), which commit ${id.slice(0, 8)} \\(Help myself.+ It is signed by bob\\.$`,
        ),
      );
      repo.git('reset', '--quiet', '--hard', before);
    }
  });

  test('a merge may bring in what others were allowed to change, and may not undo it', async () => {
    using court = new Court();
    const { repo } = court;
    const old = commitAs(repo, ada, { 'policies/p.yaml': 'loose', 'servers/s.yaml': 's' });
    const base = commitAs(repo, ada, { 'policies/p.yaml': 'tight' });
    repo.git('checkout', '--quiet', '-b', 'topic', old);
    const topic = commitAs(repo, bob, { 'servers/t.yaml': 't' }, { push: false });
    commitAs(repo, bob, {}, { args: ['merge', '--quiet', 'main'] });
    expect(repo.git('show', 'HEAD:policies/p.yaml')).toBe('tight');
    expect((await court.judge(trust, base)).signer).toBe('bob');
    repo.git('reset', '--quiet', '--hard', topic);
    const evil = commitAs(
      repo,
      bob,
      {},
      { args: ['merge', '--quiet', '--strategy', 'ours', 'main'], message: 'Merge main' },
    );
    expect(repo.git('show', 'HEAD:policies/p.yaml')).toBe('loose');
    expect(await court.refusal(trust, base)).toContain(
      `policies/p.yaml (trust.yaml:1), which commit ${evil.slice(0, 8)}`,
    );
    repo.git('checkout', '--quiet', 'main');
    // From the other side, and with something slipped into the merge.
    commitAs(repo, bob, {}, { args: ['merge', '--quiet', '--no-ff', '--no-commit', topic], push: false, message: 'x' });
    const slipped = commitAs(repo, bob, { 'policies/p.yaml': 'slipped in' }, { message: 'Merge topic' });
    expect(await court.refusal(trust, base)).toContain(slipped.slice(0, 8));
    // Back to before it was tightened.
    repo.git('push', '--quiet', '--force', 'origin', `${old}:main`);
    expect(await court.refusal(trust, base)).toContain('does not build on');
  });

  test('below a config path, paths are those below it', async () => {
    using court = new Court();
    using dir = tempDir();
    const base = commitAs(court.repo, ada, { 'prod/policies/p.yaml': 'p', 'policies/p.yaml': 'p' });
    const source = gitSource({ url: court.repo.url, ref: 'main', path: 'prod', mirror: dir.at('m.git') });
    const judged = async () => {
      const { id } = await source.fetch(never());
      const accepted = { commit: base, follows: source.repository?.follows ?? '', trust };
      return judge({ source, commit: id, floor: [], accepted, final: [] }, never());
    };
    commitAs(court.repo, bob, { 'policies/p.yaml': 'q' });
    expect((await judged()).signer).toBe('bob');
    commitAs(court.repo, bob, { 'prod/policies/p.yaml': 'q' });
    await expect(judged()).rejects.toMatchObject({ code: 'untrusted' });
  });
});

test('from a push to the status: what is refused leaves the last good one in force, and a commit never judges itself', async () => {
  await using rig = await Rig.make({ record: true });
  const { repo } = rig;
  const push = async (...args: [Person | undefined, Record<string, string | null>, string?]): Promise<string> => {
    const [person, files, message = 'change'] = args;
    const id = commitAs(repo, person, files, { message });
    await rig.reconciler.sync();
    return id;
  };
  const refused = (...args: Parameters<typeof push>): Promise<void> =>
    expect(push(...args)).rejects.toMatchObject({ code: 'untrusted' });
  // The first one brings the rules; it is judged by none.
  const first = await push(undefined, { 'a.yaml': memoryServer('a'), 'trust.yaml': trustOf({}, [ada]) });
  expect((await rig.reconciler.status()).conditions.map(({ type }) => type)).not.toContain('Verified');
  await refused(undefined, { 'a.yaml': memoryServer('a', 'evil') });
  expect(await rig.overall('Stalled')).toBe('True=Untrusted');
  expect(await rig.overall('Verified')).toBe('False=Untrusted');
  const status = await rig.reconciler.status();
  expect(status.lastApplied?.id).toBe(first);
  expect(await rig.call('a', 'echo', { message: 'hi' })).toContain('hi');
  // Whoever writes the rules into his own commit is judged by those before it.
  repo.git('reset', '--quiet', '--hard', first);
  await refused(mallory, { 'trust.yaml': trustOf({}, [mallory]) });
  repo.git('reset', '--quiet', '--hard', first);
  await refused(mallory, { 'trust.yaml': null });
  repo.git('reset', '--quiet', '--hard', first);
  await push(ada, { 'trust.yaml': trustOf({}, [ada, bob]) }, 'Welcome Bob');
  expect(await rig.overall('Verified')).toBe('True=Signed');
  await push(bob, { 'a.yaml': memoryServer('a', 'v2') });
  expect(await rig.overall()).toBe('True=Succeeded');
  await push(bob, { 'trust.yaml': trustOf({ mode: 'warn' }, [ada, bob]) });
  await push(undefined, { 'a.yaml': memoryServer('a', 'v3') });
  expect(await rig.overall()).toBe('True=Succeeded');
  expect(await rig.overall('Verified')).toBe('False=Unsigned');
  await rig.reconciler.world.recorder.flush();
  const log = execFileSync('git', ['log', '-p', 'slipway/audit'], { cwd: repo.remote, encoding: 'utf8' });
  expect(log).toContain('"signer": "ada"');
  expect(log).toMatch(/"code": "untrusted",\n.*"message": "Commit .{8} \(change, by nobody/);
});
