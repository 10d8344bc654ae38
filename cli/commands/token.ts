import { referencesOf } from '../../schemas/refs.ts';
import { API_VERSION, addressOf, type Resource } from '../../schemas/resource.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { name as nameSchema } from '../../schemas/kinds/fields.ts';
import type { Status } from '../../schemas/status.ts';
import {
  outputOption,
  PR_OPTION,
  SOURCE_OPTIONS,
  TARGET_OPTIONS,
  text,
  type Command,
  type Invocation,
  type Options,
} from '../command.ts';
import { localResources } from '../local.ts';
import { table } from '../print/table.ts';
import { tokenTable } from '../print/token.ts';
import { asDocument, formatValue } from '../print/value.ts';
import { kindFor } from '../select.ts';
import { placeOf } from '../place.ts';
import { findTarget } from '../target.ts';
import { makeToken, rightsOf, timeIn } from '../tokens/make.ts';
import { made, printingIssues } from '../write/change.ts';
import { remove, say, type Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { found } from '../write/find.ts';
import { mergePatch } from '../write/patch.ts';

const KIND = 'Token';
const kind = kindFor(KIND);

type Action = (name: string, invocation: Invocation) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = { create, list, revoke, rotate };

export const command: Command = {
  summary: 'make, list, revoke and rotate access tokens, as commits in the config repo',
  usage: '<create|list|revoke|rotate> [name]',
  options: [
    {
      flags: '--role <names>',
      description: 'create: comma-separated roles (default: member, unless there are scopes)',
    },
    { flags: '--scopes <names>', description: 'create: comma-separated scopes' },
    { flags: '--project <names>', description: 'create: comma-separated projects it may use (default: everything)' },
    { flags: '--projects <names>', description: 'the same as --project' },
    {
      flags: '--expires <duration>',
      description: 'create, rotate: how long it is valid, e.g. 90d (default: for ever)',
    },
    { flags: '--overlap <duration>', description: 'rotate: how long the token before works too (default: not at all)' },
    { flags: '--file <file>', description: 'create: where to write the YAML (default: tokens/<name>.yaml)' },
    { flags: '--no-commit', description: 'in a working tree, write the file and commit nothing' },
    ...SOURCE_OPTIONS,
    { flags: '--dry-run', description: 'check and tell, but write nothing' },
    { flags: '--branch <name>', description: 'commit to a new branch instead' },
    PR_OPTION,
    { flags: '-m, --message <text>', description: 'message of the commit' },
    ...TARGET_OPTIONS,
    outputOption(['table', 'json', 'yaml', 'name']),
  ],
  examples: [
    'slipway token create ci --role member --project dev --expires 90d',
    'slipway token create metrics --scopes audit',
    'slipway token list',
    'slipway token rotate ci --overlap 1h',
    'slipway token revoke ci',
  ],

  async run(invocation) {
    const [word = '', name = ''] = invocation.args;
    const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
    if (!action)
      throw new SlipwayError('usage', `There is no \`token ${word}\`; there is ${Object.keys(ACTIONS).join(', ')}.`);
    if (action !== list && !nameSchema.safeParse(name).success)
      throw new SlipwayError('usage', `${name || 'Nothing'} is no name: use a–z, 0–9 and -.`);
    await action(name, invocation);
    return 0;
  },
};

/** The token is shown when its hash is safely written, and only then: one that nobody knows must not be in use. */
async function create(name: string, invocation: Invocation): Promise<void> {
  const { options } = invocation;
  const { token, sha256 } = makeToken();
  const expiresAt = lifeIn(options);
  await write(invocation, `Add token ${name}`, async (draft) => {
    const before = await draft.find(KIND, name);
    if (before) throw new SlipwayError('exists', `Token ${name} exists already, in ${before.file}.`);
    const spec = { sha256, ...rightsOf(options, draft), ...(expiresAt === undefined ? {} : { expiresAt }) };
    const value = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec };
    return say(draft, { kind: KIND, name, value }, text(options, 'file'));
  });
  show(token, invocation);
}

/**
 * Deleting the YAML is all there is to it: a token that is in no commit opens nothing. One that others name has expired instead: that it is
 * worth nothing must not wait until nobody names it.
 */
async function revoke(name: string, invocation: Invocation): Promise<void> {
  let naming: readonly Resource[] = [];
  await write(invocation, `Revoke token ${name}`, async (draft) => {
    const located = await found(draft, kind, name);
    naming = namingIt(draft, name);
    if (naming.length > 0) {
      // Long ago, whatever the clocks of this host and of the gateway's say.
      const spec = { expiresAt: new Date(0).toISOString(), previous: null };
      const value = mergePatch(located.document.value, { spec });
      return { ...(await say(draft, { kind: KIND, name, value })), verb: 'revoked' };
    }
    await remove(draft, located);
    return { kind: KIND, name, file: located.file, verb: 'revoked' };
  });
  if (naming.length === 0) return;
  const who = naming.map((each) => `${addressOf(each)} (${each.source.file}:${each.source.line})`).join(', ');
  invocation.io.err(
    `It has expired, and stays because it is named by ${who}. Without these, revoke it again to delete it.`,
  );
}

const namingIt = (draft: Draft, name: string): Resource[] =>
  draft.base.resources.filter((resource) =>
    referencesOf(resource).some((reference) => reference.kind === KIND && reference.name === name),
  );

async function rotate(name: string, invocation: Invocation): Promise<void> {
  const { token, sha256 } = makeToken();
  const [until, expiresAt] = [timeIn(invocation.options, 'overlap'), lifeIn(invocation.options)];
  await write(invocation, `Rotate token ${name}`, async (draft) => {
    const { document } = await found(draft, kind, name);
    const expired = expiryOf(draft, name);
    if (expiresAt === undefined && expired !== undefined && Date.parse(expired) <= Date.now())
      throw new SlipwayError(
        'usage',
        `Token ${name} has expired, on ${expired}: --expires says how long a new one works.`,
      );
    const value = mergePatch(document.value, {
      spec: {
        sha256,
        previous: until === undefined ? null : { sha256: hashOf(draft, name), until },
        ...(expiresAt === undefined ? {} : { expiresAt }),
      },
    });
    return { ...(await say(draft, { kind: KIND, name, value })), verb: 'rotated' };
  });
  invocation.io.err(`The token before works until ${until ?? 'this is in force'}.`);
  show(token, invocation);
}

/** When a token expires that is made now. @throws SlipwayError `usage` for one that would never work */
function lifeIn(options: Options): string | undefined {
  const expiresAt = timeIn(options, 'expires');
  if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.now())
    throw new SlipwayError('usage', `--expires ${text(options, 'expires')} leaves it no time.`);
  return expiresAt;
}

/** As the config says; when they were used, a running Slipway knows. */
async function list(_: string, { options, io }: Invocation): Promise<void> {
  const tokens = (await localResources(options, io)).filter((resource) => resource.kind === KIND);
  const status = await findTarget(options, io, 'own')
    .then((target) => target.json<Status>('GET', '/status'))
    .catch((error: unknown) => {
      if (error instanceof SlipwayError && error.code === 'not-running') return undefined;
      throw error;
    });
  const known = new Map((status?.tokens ?? []).map((token) => [token.address, token]));
  const format = options['output'];
  if (format === 'name') tokens.forEach(({ metadata }) => io.out(metadata.name));
  else if (format === 'json' || format === 'yaml')
    io.out(
      formatValue(
        tokens.map((token) => ({ ...asDocument(token), lastUsed: known.get(addressOf(token))?.lastUsed ?? null })),
        format,
      ),
    );
  else {
    const { head, rows } = tokenTable(tokens, known);
    io.out(table(head, rows));
  }
}

/** Commits in a working tree too, unless told not to: a token that is made or revoked is meant to be in force. */
async function write(invocation: Invocation, message: string, edit: (draft: Draft) => Promise<Outcome>): Promise<void> {
  const { options, io } = invocation;
  const commits = options['commit'] !== false && placeOf(text(options, 'repo') ?? '.', io.cwd).kind === 'git';
  const given = text(options, 'message');
  const told = { ...options, ...(commits ? { message: given ?? message } : {}) };
  const done = await printingIssues(io, () =>
    made({ ...invocation, options: told }, async (draft) => [await edit(draft)]),
  );
  for (const { verb, file } of done.outcomes)
    io.err(
      `${verb}${options['dryRun'] === true ? ' (dry run)' : ''}: ${file}${done.told === '' ? '' : `, ${done.told}`}`,
    );
  if (done.url !== undefined) io.err(done.url); // The token alone is data.
  if (done.told === '' && options['dryRun'] !== true) io.err('Commit and push it to put it in force.');
}

function show(token: string, { options, io }: Invocation): void {
  if (options['dryRun'] === true) return;
  io.out(token);
  io.err('The token itself is shown only now.');
}

function specOf(draft: Draft, name: string): { sha256?: string; expiresAt?: string } {
  return draft.of(KIND).find(({ metadata }) => metadata.name === name)?.spec ?? {};
}

const hashOf = (draft: Draft, name: string): string | null => specOf(draft, name).sha256 ?? null;
const expiryOf = (draft: Draft, name: string): string | undefined => specOf(draft, name).expiresAt;
