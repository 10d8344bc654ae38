/** What each placeholder of the definitions stands for. A new placeholder is a row here, or a word in FREE. */
import { resolve } from 'node:path';
import { OPERATIONS, SCOPES, VERBS } from '../../schemas/access.ts';
import type { CacheStats } from '../../schemas/cache.ts';
import { AUDIT_KINDS, AUDIT_OUTCOMES } from '../../schemas/audit.ts';
import { documentSchema } from '../../schemas/json-schema.ts';
import { findKind, KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import type { Proposal } from '../../schemas/proposals.ts';
import type { Status } from '../../schemas/status.ts';
import { CLIENTS } from '../clients/clients.ts';
import { text } from '../command.ts';
import { known } from '../credentials.ts';
import { isAddress, NOTHING, prefixed, type Offer, type Offering, type Offers, type Place } from './complete.ts';
import { asked, namesOf, refsOf } from './names.ts';

const kinds = Object.values(KINDS) as Kind[];

const offer = (words: readonly string[]): Offers => ({ words: words.map((word) => ({ word })) });
const named =
  (kind: Kind): Offering =>
  async (place) =>
    offer(await namesOf(kind, place));

/** Of several, separated by commas, the one that is being written. */
const listed =
  (offering: Offering): Offering =>
  async (place) => {
    const at = place.current.lastIndexOf(',') + 1;
    const [before, current] = [place.current.slice(0, at), place.current.slice(at)];
    return prefixed(before, await offering({ ...place, current }));
  };

export const OFFERINGS: Readonly<Record<string, Offering>> = {
  kind: kindOrAddress,
  name,
  names: name,
  thing: (place) => (place.operands.at(-1) === 'run' ? runnable(place) : kindOrAddress({ ...place, isMany: true })),
  server: named(KINDS.Server),
  servers: named(KINDS.Server),
  project: listed(named(KINDS.Project)),
  projects: listed(named(KINDS.Project)),
  role: listed(named(KINDS.Role)),
  scopes: listed(() => offer(SCOPES)),
  template: named(KINDS.Template),
  workspaces: named(KINDS.Workspace),
  llmproviders: named(KINDS.LlmProvider),
  prompt: named(KINDS.Prompt),
  tool: tools,
  verb: () => offer([...VERBS, 'call', 'scope']),
  'field=value': fields,
  principal,
  who: principal,
  event: () => offer(AUDIT_KINDS),
  outcome: () => offer(AUDIT_OUTCOMES),
  client: () => ({ words: Object.entries(CLIENTS).map(([word, { title }]) => ({ word, about: title })) }),
  sync: () => offer(['sync']),
  check: () => offer(['check']),
  summarize: () => offer(['summarize']),
  url: ({ io }) => offer(quietly(() => known(io.env))),
  proposal: proposals,
  namespace: namespaces,
  ref: refs,
  commit: refs,
  from: refs,
  to: refs,
  file: () => ({ words: [], paths: 'files' }),
  program: () => ({ words: [], paths: 'files' }),
  folder: () => ({ words: [], paths: 'folders' }),
  dir: () => ({ words: [], paths: 'folders' }),
  repo: () => ({ words: [], paths: 'folders' }),
};

/** What only people know. */
export const FREE: ReadonlySet<string> = new Set(
  'address backup backup-branch branch duration environment hash id ids json key key=value recipient labels lines n number other patch request-id text token when yaml'.split(
    ' ',
  ),
);

/** What in a union is no word but stands for many; all others in it are words, whatever they mean elsewhere. */
const SHAPES: ReadonlySet<string> = new Set(['text', 'number', 'yaml', 'key=value']);

/** `<create|list|revoke>` stands for one of these words; `<text>` in a union for anything. */
export function offeringFor(placeholder: string): Offering {
  if (Object.hasOwn(OFFERINGS, placeholder)) return OFFERINGS[placeholder] as Offering;
  return placeholder.includes('|')
    ? () => offer(placeholder.split('|').filter((word) => !SHAPES.has(word)))
    : () => NOTHING;
}

/** As it is said of many or of one, in another spelling where that is what was begun, and with a name after a slash. */
async function kindOrAddress(place: Place): Promise<Offers> {
  const [word = '', begun] = place.current.split('/');
  if (begun !== undefined) {
    const kind = findKind(word);
    return kind ? prefixed(`${word}/`, offer(await namesOf(kind, place))) : NOTHING;
  }
  const at = word.lastIndexOf(',') + 1;
  const [before, current] = [word.slice(0, at), word.slice(at)];
  const usual = kinds.map((kind) => about(kind, place.isMany ? kind.plural : kind.kind.toLowerCase()));
  const all = kinds.flatMap((kind) =>
    [kind.plural, kind.kind.toLowerCase(), ...kind.short].map((one) => about(kind, one)),
  );
  const words = usual.some((one) => one.word.startsWith(current)) ? usual : all;
  return prefixed(before, { words });
}

const about = ({ description }: Kind, word: string): Offer => ({ word, about: description.split(/\.\s/, 1)[0] ?? '' });

/** Of the kind that was named, or that the command is about. */
async function name(place: Place): Promise<Offers> {
  const [first = ''] = place.operands;
  if (isAddress(first)) return kindOrAddress(place);
  const kind = findKind(first.split(',', 1)[0] ?? '') ?? findKind(place.command);
  return kind ? offer(await namesOf(kind, place)) : NOTHING;
}

async function tools(place: Place): Promise<Offers> {
  const server = place.operands[0] ?? text(place.options, 'server');
  const status = await asked<Status>(place, (target) => target.json('GET', '/status'));
  return offer(status?.servers.find((entry) => entry.name === server)?.tools ?? []);
}

/** `replicas=`: fields of the kind, below `spec` as `patch` takes them. */
function fields({ operands: [word = ''] }: Place): Offers {
  const kind = findKind(word.split('/', 1)[0] ?? '');
  if (!kind) return NOTHING;
  const { spec } = documentSchema(kind)['properties'] as {
    spec: { properties?: Record<string, { description?: string }> };
  };
  const words = Object.entries(spec.properties ?? {}).map(([field, { description = '' }]) => ({
    word: `${field}=`,
    about: description,
  }));
  return { words, isOpen: true };
}

async function principal(place: Place): Promise<Offers> {
  const all = await Promise.all(
    [KINDS.Token, KINDS.User, KINDS.Group].map(async (kind) =>
      (await namesOf(kind, place)).map((one) => `${kind.kind.toLowerCase()}:${one}`),
    ),
  );
  return offer([...all.flat(), 'local']);
}

async function runnable(place: Place): Promise<Offers> {
  const { words } = await kindOrAddress({ ...place, isMany: true });
  return { words: [...OPERATIONS.map((word) => ({ word })), ...words] };
}

async function proposals(place: Place): Promise<Offers> {
  const found = await asked<Proposal[]>(place, (target) => target.json('GET', '/proposals'));
  return { words: (found ?? []).map(({ id, title }) => ({ word: id, about: title })) };
}

async function namespaces(place: Place): Promise<Offers> {
  const found = await asked<CacheStats>(place, (target) => target.json('GET', '/cache'));
  return offer(found?.texts.disk?.namespaces.map(({ namespace }) => namespace) ?? []);
}

async function refs({ options, io }: Place): Promise<Offers> {
  return offer(await refsOf(resolve(io.cwd, text(options, 'repo') ?? '.')));
}

function quietly(list: () => string[]): string[] {
  try {
    return list();
  } catch {
    return [];
  }
}
