/**
 * Whether a signature is what it says, and whose key made it: by ssh-keygen, and by gpg with a keyring of the given keys
 * alone. Who may sign is decided elsewhere, so that every refusal has a reason of its own.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedCommit } from './commits.ts';
import { runProgram } from './program.ts';
import type { SignerKey, TrustRules } from './rules.ts';

export type Signature =
  | { readonly result: 'unsigned' | 'tampered' | 'unsupported' }
  /** `expired` and `revoked` by what an OpenPGP key says of itself. */
  | { readonly result: 'good' | 'unknown' | 'expired' | 'revoked'; readonly key: KeyName };

/** `ssh SHA256:…` or `gpg <fingerprint of the primary key>`. */
export interface KeyName {
  readonly kind: 'ssh' | 'gpg';
  readonly id: string;
}

const GPG = [
  'gpg',
  '--no-options',
  '--batch',
  '--no-tty',
  '--no-autostart',
  '--no-auto-key-retrieve',
  '--no-auto-key-locate',
];
/** SHA-1 can be made to sign two texts at once. Whose key it is is what we know; whom its owner trusts is not asked. */
const VERIFY = ['--status-fd', '1', '--trust-model', 'always', '--weak-digest', 'SHA1', '--verify'];

export class Signatures implements AsyncDisposable {
  readonly #home: string;
  readonly #rules: readonly TrustRules[];
  readonly #signal: AbortSignal;
  #count = 0;
  /** Armored key → fingerprints of the primary keys in it. */
  #keyring: Promise<ReadonlyMap<string, ReadonlySet<string>>> | undefined;

  static async open(rules: readonly TrustRules[], signal: AbortSignal): Promise<Signatures> {
    return new Signatures(await mkdtemp(join(tmpdir(), 'slipway-trust-')), rules, signal);
  }

  private constructor(home: string, rules: readonly TrustRules[], signal: AbortSignal) {
    this.#home = home;
    this.#rules = rules;
    this.#signal = signal;
  }

  /** @throws SlipwayError tool-missing where ssh-keygen or gpg is needed and not there */
  async check({ payload, signature }: SignedCommit): Promise<Signature> {
    if (signature === undefined) return { result: 'unsigned' };
    const path = join(this.#home, `${this.#count++}.sig`);
    await writeFile(path, Buffer.from(`${signature}\n`, 'latin1'), { mode: 0o600 });
    if (signature.startsWith('-----BEGIN SSH SIGNATURE-----')) return this.#ssh(path, payload);
    if (signature.startsWith('-----BEGIN PGP SIGNATURE-----')) return this.#gpg(path, payload);
    return { result: 'unsupported' };
  }

  /** Whether a key of a Trust is the one that signed. */
  async isKey(key: SignerKey, { kind, id }: KeyName): Promise<boolean> {
    if (kind === 'ssh') return key.ssh === id;
    return key.gpg !== undefined && ((await this.#keys()).get(key.gpg)?.has(id) ?? false);
  }

  async #ssh(path: string, payload: Buffer): Promise<Signature> {
    // Checks the signature with the key that is in it; the namespace keeps one for a file or a log-in from being passed off.
    const { code, out } = await this.#run(['ssh-keygen', '-Y', 'check-novalidate', '-n', 'git', '-s', path], payload);
    const id = /^Good "git" signature with \S+ key (SHA256:\S+)$/m.exec(out)?.[1];
    return code === 0 && id !== undefined ? { result: 'good', key: { kind: 'ssh', id } } : { result: 'tampered' };
  }

  async #gpg(path: string, payload: Buffer): Promise<Signature> {
    await this.#keys();
    const { code, out } = await this.#run([...GPG, '--homedir', this.#home, ...VERIFY, path, '-'], payload);
    const said = new Map(
      [...out.matchAll(/^\[GNUPG:\] (\w+) ?(.*)$/gm)].map(([, word = '', rest = '']) => [word, rest.split(' ')]),
    );
    // Several signatures in one block: then none counts.
    if (out.split('[GNUPG:] NEWSIG').length > 2) return { result: 'unsupported' };
    const valid = said.get('VALIDSIG');
    const key: KeyName = { kind: 'gpg', id: valid?.[9] ?? said.get('ERRSIG')?.[0] ?? said.get('NO_PUBKEY')?.[0] ?? '' };
    if (said.has('NO_PUBKEY')) return { result: 'unknown', key };
    if (said.has('ERRSIG')) return { result: 'unsupported' };
    if (said.has('REVKEYSIG')) return { result: 'revoked', key };
    if (said.has('EXPKEYSIG') || said.has('EXPSIG')) return { result: 'expired', key };
    return code === 0 && said.has('GOODSIG') && valid?.[9] !== undefined
      ? { result: 'good', key }
      : { result: 'tampered' };
  }

  #keys(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    return (this.#keyring ??= this.#import());
  }

  async #import(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const keys = this.#rules.flatMap(({ signers }) =>
      signers.flatMap((signer) => signer.keys.flatMap(({ gpg }) => gpg ?? [])),
    );
    const found = new Map<string, ReadonlySet<string>>();
    for (const armored of new Set(keys)) {
      const { out } = await this.#run([...GPG, '--homedir', this.#home, '--status-fd', '1', '--import'], armored);
      found.set(
        armored,
        new Set([...out.matchAll(/^\[GNUPG:\] IMPORT_OK \d+ ([0-9A-F]+)$/gm)].map(([, id = '']) => id)),
      );
    }
    return found;
  }

  #run(argv: readonly string[], input: Buffer | string): ReturnType<typeof runProgram> {
    return runProgram(argv, { input, home: this.#home, signal: this.#signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }
}
