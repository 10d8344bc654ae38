import { z } from 'zod';
import { name } from './fields.ts';
import { defineKind, type All, type Problem } from './kind.ts';
import { pathGlob } from '../glob.ts';
import type { Resource } from '../resource.ts';

/** As `ssh-keygen` writes it. */
const SSH_KEY =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{40,}={0,2}( [^\r\n]*)?$/;
const GPG_KEY = /^-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n[\s\S]+\r?\n-----END PGP PUBLIC KEY BLOCK-----\s*$/;

const date = z.iso.datetime({ offset: true, error: 'must be a time with its zone, such as 2026-12-31T00:00:00Z' });

const key = z
  .strictObject({
    ssh: z
      .string()
      .regex(SSH_KEY, 'must be a public SSH key, one line as in id_ed25519.pub')
      .optional()
      .describe('A public SSH key: the line of its .pub file.'),
    gpg: z
      .string()
      .regex(GPG_KEY, 'must be an armored public OpenPGP key')
      .max(262_144)
      .meta({ examples: ['-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ…\n-----END PGP PUBLIC KEY BLOCK-----\n'] })
      .optional()
      .describe('A public OpenPGP key, as `gpg --armor --export` writes it; its subkeys may sign, too.'),
    validFrom: date.optional().describe('Commits of an earlier date are not accepted with it.'),
    validUntil: date.optional().describe('Commits of this date or a later one are not accepted with it.'),
    revoked: z
      .boolean()
      .default(false)
      .describe('Nothing is accepted with it any more, whatever date a commit says it is of.'),
  })
  .refine(({ ssh, gpg }) => (ssh === undefined) !== (gpg === undefined), {
    error: 'must have either ssh or gpg',
    params: { conflict: true },
  })
  .meta({ oneOf: [{ required: ['ssh'] }, { required: ['gpg'] }] });

const signer = z.strictObject({
  name: name.describe('What plan, status and audit call them.'),
  keys: z.array(key).min(1).max(64).describe('The keys that they sign with.'),
});

const pattern = z
  .string()
  .regex(
    /^[^/\0\s][^\0]*$/,
    'must be a path below the config path, in which * stands for anything but / and ** for anything',
  )
  .max(512);

const rule = z.strictObject({
  files: z
    .array(pattern)
    .min(1)
    .max(64)
    .describe(
      'Files by their paths below the config path; * stands for anything but /, ** for anything, ? for one character.',
    ),
  signers: z
    .array(name)
    .min(1)
    .max(256)
    .describe('Who may change them. Each commit that does is judged by its own signature.'),
  kinds: z
    .array(z.string().regex(/^[A-Z][A-Za-z]{0,62}$/, 'must be the name of a kind'))
    .max(64)
    .default([])
    .describe('Resources of these kinds may stand in these files only: else they could be written elsewhere.'),
});

const MODES = ['off', 'warn', 'require'] as const;
const COMMITS = ['tip', 'each'] as const;

const trustSpec = z.strictObject({
  description: z.string().max(4096).optional().describe('What it is for.'),
  mode: z
    .enum(MODES)
    .default('require')
    .describe('What becomes of commits that no signer signed: accepted, accepted and told, or refused.'),
  commits: z
    .enum(COMMITS)
    .default('each')
    .describe(
      'Whose signatures count: of every commit since the one that was accepted last, merges included, or of the newest only.',
    ),
  signers: z.array(signer).min(1).max(256).describe('Whose signatures are accepted.'),
  paths: z.array(rule).max(64).default([]).describe('Files that only some signers may change, whatever `mode` says.'),
  since: z
    .string()
    .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be the full id of a commit')
    .optional()
    .describe('Where nothing was accepted yet, commits after this one are judged. Without it, only the newest is.'),
});

export type TrustSpec = z.output<typeof trustSpec>;

export const trust = defineKind({
  kind: 'Trust',
  plural: 'trusts',
  short: [],
  description:
    'Whose commits are accepted. A commit is judged by the Trust that was in force before it, and by that of the floor (`--floor`); never by its own.',
  singleton: true,
  spec: trustSpec,
  references: () => [],
  together: (resources, all) => resources.flatMap((resource) => [...unclear(resource), ...misplaced(resource, all)]),
  example: `apiVersion: slipway/v1
kind: Trust
metadata: { name: main }
spec:
  mode: require
  signers:
    - name: ada
      keys:
        - ssh: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPhK7531xg0NA9eF83SqqnF6venlTbWiFMmIMCxAs1Rl ada@example.com
  paths:
    - { files: ["policies/**", trust.yaml], kinds: [Policy, Trust], signers: [ada] }
`,
  floor: (own, floor, all) =>
    floor.flatMap((least) => [
      ...misplaced(least, all),
      ...own.flatMap((resource) => [
        ...weaker(resource, least, 'mode', MODES),
        ...weaker(resource, least, 'commits', COMMITS),
      ]),
    ]),
});

/** A key of two people would be nobody's; a rule for somebody who is no signer would be for nobody. */
function unclear(resource: Resource<TrustSpec>): Problem[] {
  const { signers, paths } = resource.spec;
  const problem = (path: Problem['path'], code: Problem['code'], message: string): Problem => ({
    resource,
    path,
    code,
    message,
  });
  const names = new Set<string>();
  const owners = new Map<string, string>();
  const twice = signers.flatMap(({ name: owner, keys }, at): Problem[] => {
    const found = names.has(owner)
      ? [problem(['signers', at, 'name'], 'invalid-value', `There is another signer ${owner}.`)]
      : [];
    names.add(owner);
    for (const [index, { ssh, gpg }] of keys.entries()) {
      const id = ssh?.split(' ')[1] ?? gpg ?? '';
      if (owners.has(id))
        found.push(problem(['signers', at, 'keys', index], 'invalid-value', `${owners.get(id)} has the same key.`));
      owners.set(id, owner);
    }
    return found;
  });
  const nobody = paths.flatMap(({ signers: wanted }, at) =>
    wanted.flatMap((who, index) =>
      names.has(who)
        ? []
        : [problem(['paths', at, 'signers', index], 'dangling-reference', `There is no signer ${who} here.`)],
    ),
  );
  return [...twice, ...nobody];
}

/** Files that only some may change are worth nothing where the same can be written into another. */
function misplaced({ spec: { paths }, source }: Resource<TrustSpec>, all: All): Problem[] {
  return paths.flatMap(({ files, kinds }, at) => {
    const fits = files.map(pathGlob);
    const elsewhere = kinds.flatMap(all).filter((resource) => !fits.some((isIn) => isIn(resource.source.file)));
    return elsewhere.map((resource): Problem => {
      const message = `A ${resource.kind} may stand in ${files.join(', ')} only, says paths[${at}] of ${source.file}:${source.line}.`;
      return { resource, path: [], code: 'misplaced', message };
    });
  });
}

function weaker(
  resource: Resource<TrustSpec>,
  least: Resource<TrustSpec>,
  field: 'mode' | 'commits',
  order: readonly string[],
): Problem[] {
  const [own, wanted] = [resource.spec[field], least.spec[field]];
  if (order.indexOf(own) >= order.indexOf(wanted)) return [];
  const { file, line } = least.source;
  return [
    {
      resource,
      path: [field],
      code: 'below-floor',
      message: `${field}: ${own} is less than the floor asks for: ${wanted} (${file}:${line}).`,
    },
  ];
}
