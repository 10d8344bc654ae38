import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { trust as schema } from '../../schemas/kinds/trust.ts';
import type { KindBehaviour } from './kind.ts';

export const trust: KindBehaviour<z.output<typeof schema.spec>> = {
  trust: ({ spec: { mode, commits, since, signers, paths }, source }) => ({
    where: `${source.file}:${source.line}`,
    mode,
    commits,
    ...(since === undefined ? {} : { since }),
    signers: signers.map(({ name, keys }) => ({
      name,
      keys: keys.map(({ ssh, gpg, validFrom, validUntil, revoked }) => ({
        ...(ssh === undefined ? {} : { ssh: fingerprint(ssh) }),
        ...(gpg === undefined ? {} : { gpg }),
        ...(validFrom === undefined ? {} : { validFrom: Date.parse(validFrom) }),
        ...(validUntil === undefined ? {} : { validUntil: Date.parse(validUntil) }),
        revoked,
      })),
    })),
    paths: paths.map(({ files, signers: names }) => ({ files, signers: names })),
  }),
};

/** As ssh-keygen names a public key: the SHA-256 of its middle part, in base64 without padding. */
function fingerprint(line: string): string {
  const blob = Buffer.from(line.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
