/** For whom, and for what, consents are kept: as long as the config has both. */
import type { Snapshot } from '../../../schemas/snapshot.ts';
import { isGone, namedIn } from '../../auth/identity.ts';
import { shelfOf, type Holder, type OAuthSpec } from './oauth.ts';
import { onShelf, type Vault } from './vault.ts';

/** Under what the vault knows whom and what it holds tokens for, so that a restart in between changes nothing. */
const FOLLOWED = 'followed';

interface Followed {
  readonly shelves: readonly string[];
  /** Keys of the callers that the config names. */
  readonly named: readonly string[];
}

const NOBODY: Followed = { shelves: [], named: [] };

export class Holders {
  readonly #vault: Vault;
  /** Of the snapshot in force; servers by shelf. */
  #shelves: ReadonlyMap<string, string> = new Map();
  #named: ReadonlySet<string> = new Set();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /**
   * A snapshot is in force. Inherited consent: what was given for a server or a way into it that is gone is forgotten, and
   * so is what a Token or User has that is gone, because one that is made anew under its name is somebody else.
   */
  follow(snapshot: Snapshot): void {
    // What is served before any config could be read says nothing of what is gone.
    if (snapshot.commit === '') return;
    this.#shelves = shelvesIn(snapshot);
    this.#named = namedIn(snapshot);
    const before = (this.#vault.read(FOLLOWED) ?? NOBODY) as Followed;
    for (const shelf of before.shelves) if (!this.#shelves.has(shelf)) this.#vault.clear(shelf);
    for (const key of before.named)
      if (!this.#named.has(key)) for (const shelf of this.#shelves.keys()) this.#vault.remove(onShelf(shelf, key));
    const now = this.#shelves.size === 0 ? NOBODY : { shelves: [...this.#shelves.keys()], named: [...this.#named] };
    if (JSON.stringify(now) !== JSON.stringify(before)) this.#vault.write(FOLLOWED, now);
  }

  /** @param principal `undefined`: the one that all share @returns whether there was anything */
  forget(server: string, principal: string | undefined): boolean {
    const names = [...this.#shelves].flatMap(([shelf, of]) => (of === server ? [onShelf(shelf, principal ?? '')] : []));
    const kept = names.filter((name) => this.#vault.read(name) !== undefined);
    for (const name of kept) this.#vault.remove(name);
    return kept.length > 0;
  }

  /** Whether there is still somebody, and something, that tokens are for. */
  has(holder: Holder, spec: OAuthSpec): boolean {
    const { principal } = holder;
    return this.#shelves.has(shelfOf(holder, spec)) && (principal === undefined || !isGone(principal, this.#named));
  }
}

function shelvesIn({ servers }: Snapshot): Map<string, string> {
  const shelves = Object.entries(servers).flatMap(([server, { auth, endpoints }]) =>
    auth?.type === 'oauth'
      ? endpoints.map(({ address }) => [shelfOf({ server, url: new URL(address) }, auth), server] as const)
      : [],
  );
  return new Map(shelves);
}
