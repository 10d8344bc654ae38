/** From what Tokens and identity providers say to Users and Groups of the config. */
import type { GroupEntry, Provider, UserEntry } from '../../schemas/snapshot.ts';
import type { AccessToken } from './access-token.ts';

export class Directory {
  readonly #users: readonly UserEntry[];
  readonly #groups: readonly GroupEntry[];

  constructor(users: readonly UserEntry[], groups: readonly GroupEntry[]) {
    this.#users = users;
    this.#groups = groups;
  }

  groupsOfToken(name: string): string[] {
    return namesOf(this.#groups.filter(({ tokens }) => tokens.includes(name)));
  }

  /**
   * Impersonation: a name that no User gives carries its provider's in front, with a colon, which no resource's name can
   * hold; so no provider can name a User, or another's users.
   */
  person(token: AccessToken): { readonly name: string; readonly groups: readonly string[] } {
    const user = this.#userOf(token);
    const groups = this.#groups.filter(
      ({ users, claims, provider }) =>
        (user && users.includes(user.name)) ||
        (isFrom(provider, token.provider) && claims.some((claim) => token.groups.includes(claim))),
    );
    return { name: user?.name ?? `${token.provider.name}:${token.subject}`, groups: namesOf(groups) };
  }

  /** A User of that subject rather than one of that e-mail address: addresses are handed on. */
  #userOf({ provider, subject, email }: AccessToken): UserEntry | undefined {
    const fitting = this.#users.filter(
      (user) =>
        isFrom(user.provider, provider) &&
        (user.subject === undefined || user.subject === subject) &&
        (user.email === undefined || user.email === email),
    );
    return fitting.find((user) => user.subject !== undefined) ?? fitting[0];
  }
}

/** The config names the provider wherever there is more than one. */
const isFrom = (wanted: string | undefined, { name }: Provider): boolean => wanted === undefined || wanted === name;

const namesOf = (groups: readonly GroupEntry[]): string[] => groups.map(({ name }) => name);
