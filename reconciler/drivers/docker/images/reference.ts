/** Names of images, after the grammar of https://github.com/distribution/reference. Pure. */

export interface Reference {
  /** `docker.io` where none is written. */
  readonly registry: string;
  /** With `library/` for Docker Hub's own. */
  readonly path: string;
  /** `latest` where neither a tag nor a digest is written. */
  readonly tag?: string;
  /** `sha256:…`: with it nothing floats, and the tag is only for people. */
  readonly digest?: string;
}

const HUB = 'docker.io';

/** @param image checked by the schema of the Server kind */
export function parseReference(image: string): Reference {
  const [named = '', digest] = image.split('@');
  const slash = named.indexOf('/');
  const first = slash < 0 ? '' : named.slice(0, slash);
  // A first part with a dot or a port is a host; all others are names on Docker Hub.
  const isHost = /[.:]/.test(first) || first === 'localhost';
  const rest = isHost ? named.slice(slash + 1) : named;
  const colon = rest.lastIndexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const registry = isHost && first !== 'index.docker.io' ? first : HUB;
  return {
    registry,
    path: registry === HUB && !path.includes('/') ? `library/${path}` : path,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: 'latest' } : {}),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** `registry/path`: what digests of one image have in common. */
function repositoryOf({ registry, path }: Reference): string {
  return `${registry}/${path}`;
}

/** In full, as every engine understands it: by digest where there is one, else by tag. */
export function fullName(reference: Reference): string {
  const { tag, digest } = reference;
  return `${repositoryOf(reference)}${digest === undefined ? `:${tag}` : `@${digest}`}`;
}

/** Whether two names mean the same: `node:24` is `docker.io/library/node:24`. */
export function isSameImage(one: string, other: string): boolean {
  return fullName(parseReference(one)) === fullName(parseReference(other));
}

/** Of the digests under which an engine knows an image, the one in this repository. */
export function digestIn(reference: Reference, repoDigests: readonly string[] | null | undefined): string | undefined {
  const repository = repositoryOf(reference);
  const known = (repoDigests ?? []).map(parseReference).filter((entry) => repositoryOf(entry) === repository);
  return known.find(({ digest }) => digest === reference.digest)?.digest ?? known[0]?.digest;
}
