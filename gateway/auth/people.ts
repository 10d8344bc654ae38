/** Users by their access tokens: verified, then known by the SHA-256 of the token for as long as keys are used unasked. */
import { grantOf, type Access, type Subject } from '../../schemas/access.ts';
import type { Provider } from '../../schemas/snapshot.ts';
import { readAccessToken, type AccessToken } from './access-token.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';
import { sourceKey, type Keys } from './keys.ts';

/** Bounds the memory that tokens can take. */
const MAX_KNOWN = 10_000;

/** Where the keys of a provider are; the same ones for every snapshot that says the same of it. */
export type KeysOf = (provider: Provider) => Keys;

/** A user's identity, with what its access token says. */
export interface UserIdentity extends Identity {
  readonly token: AccessToken;
}

export const isUser = (identity: Identity): identity is UserIdentity => identity.kind === 'user';

/** Those of one snapshot: whatever it says of providers, users, groups and rights, nothing of the one before is left. */
export class People {
  readonly #providers: ReadonlyMap<string, { readonly provider: Provider; readonly keys: Keys }>;
  readonly #directory: Directory;
  readonly #access: Access;
  readonly #known = new Map<string, { readonly identity: UserIdentity; readonly until: number }>();
  readonly #asking = new Map<string, Promise<UserIdentity>>();
  /** Those who got in under an earlier snapshot and still listen. */
  readonly #still = new WeakMap<AccessToken, UserIdentity>();

  constructor(providers: readonly Provider[], directory: Directory, access: Access, keysOf: KeysOf) {
    this.#providers = new Map(providers.map((provider) => [provider.issuer, { provider, keys: keysOf(provider) }]));
    this.#directory = directory;
    this.#access = access;
  }

  /** Whether there is an identity provider at all. */
  get any(): boolean {
    return this.#providers.size > 0;
  }

  /**
   * A token is looked at again when its provider's keys are, so that a key which the provider took back opens nothing for
   * as long as a token may live.
   * @param digest SHA-256 of the token, in lower-case hex
   */
  find(digest: string): UserIdentity | undefined {
    const known = this.#known.get(digest);
    return known && known.until > performance.now() ? known.identity : undefined;
  }

  /**
   * Many requests with one new token wait for one verification.
   * @throws SlipwayError `unauthorized`, `provider-unreachable`
   */
  async learn(digest: string, token: string): Promise<UserIdentity> {
    const asking = this.#asking.get(digest) ?? this.#learn(digest, token);
    this.#asking.set(digest, asking);
    try {
      return await asking;
    } finally {
      this.#asking.delete(digest);
    }
  }

  /** Who a user of an earlier snapshot is under this one; `undefined` where the provider is no longer as it was. */
  still({ token, credential = '' }: UserIdentity): UserIdentity | undefined {
    const now = this.#providers.get(token.provider.issuer)?.provider;
    if (!now || JSON.stringify(now) !== JSON.stringify(token.provider)) return undefined;
    // Streams ask at each notice, and a grant is work.
    const still = this.#known.get(credential)?.identity ?? this.#still.get(token) ?? this.#identity(credential, token);
    this.#still.set(token, still);
    return still;
  }

  async #learn(digest: string, token: string): Promise<UserIdentity> {
    const identity = this.#identity(digest, await readAccessToken(token, this.#providers));
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MAX_KNOWN) this.#known.delete(oldest);
    this.#known.set(digest, { identity, until: performance.now() + identity.token.provider.keys.refreshMs });
    return identity;
  }

  #identity(credential: string, token: AccessToken): UserIdentity {
    const { name, groups } = this.#directory.person(token);
    const withheld = token.provider.stepUp
      .filter(({ scopes }) => !scopes.every((scope) => token.scopes.has(scope)))
      .flatMap(({ roles }) => roles);
    const subject: Subject = { kind: 'User', name, groups, roles: [], scopes: [], withheld };
    const grant = grantOf(this.#access, subject);
    const { expiresAt } = token;
    return { key: `user:${name}`, kind: 'user', name, groups, subject, grant, expiresAt, credential, token };
  }
}

/** Keys outlive snapshots: a commit must not make everybody's token wait for the provider. */
export function keyRing(open: (provider: Provider) => Keys): KeysOf {
  let ring = new Map<string, Keys>();
  return (provider) => {
    const key = sourceKey(provider);
    const keys = ring.get(key) ?? open(provider);
    // The last few in use, so that providers which come and go leave nothing behind.
    ring = new Map([...ring].filter(([other]) => other !== key).slice(-63));
    ring.set(key, keys);
    return keys;
  };
}
