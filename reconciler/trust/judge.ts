/**
 * Whether a commit is accepted: by the rules that were in force before it, and by the floor's. Each set of rules judges for
 * itself, so that neither can loosen the other. Nothing of the commit has been parsed when this is asked.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import { pathGlob } from '../../schemas/glob.ts';
import type { Accepted } from '../applied.ts';
import { limiter } from '../async.ts';
import type { Permit } from '../guards.ts';
import type { Repository, Source } from '../source/source.ts';
import { buildsOn, newCommits, readCommits, type Place, type SignedCommit } from './commits.ts';
import { permitOf } from './permit.ts';
import { isInForce, type Signer, type TrustRules } from './rules.ts';
import { Signatures, type KeyName } from './signatures.ts';
import { touchedBy } from './touched.ts';

export interface Judgement {
  /** Who signed the newest commit; absent where nobody known did. */
  readonly signer?: string;
  /** What would be refused if it were required. */
  readonly warnings: readonly string[];
  /** What the commit's message lets pass. */
  readonly permit?: Permit | undefined;
}

export interface Case {
  readonly source: Pick<Source, 'repository'>;
  readonly commit: string;
  /** Of the floor. */
  readonly floor: readonly TrustRules[];
  readonly accepted?: Accepted | undefined;
  /** Guards that no commit's message passes. */
  readonly final: readonly string[];
}

/** Programs that check signatures side by side. */
const CONCURRENCY = 4;

/** @returns undefined where nothing is judged, because there are no rules @throws SlipwayError untrusted */
export async function judge({ source, commit, floor, accepted, final }: Case, signal: AbortSignal): Promise<Judgement> {
  const rules = [...floor, ...(accepted?.trust ?? [])].filter(isInForce);
  const { repository } = source;
  if (rules.length === 0) return { warnings: [], permit: await permitOf(source, commit, signal) };
  if (!repository) {
    const [first] = rules.filter(({ mode, paths }) => mode === 'require' || paths.length > 0);
    if (!first) return { warnings: ['A plain folder has no commits that could be signed.'] };
    throw refusal([`A plain folder has no commits, and so no signatures, which ${first.where} asks for.`]);
  }
  await using bench = await Bench.open(repository, rules, signal);
  const known = accepted && accepted.follows === repository.follows ? accepted.commit : undefined;
  const permit = await permitOf(source, commit, signal);
  const mayRewind = permit?.guards.includes('rewind') === true && !final.includes('rewind');
  const found = await Promise.all(rules.map((one) => bench.findings(one, { commit, known, mayRewind })));
  const refused = found.flatMap(({ refusals }) => refusals);
  if (refused.length > 0) throw refusal([...new Set(refused)]);
  const signer = found.map((one) => one.signer).find((name) => name !== undefined);
  // Whoever nobody trusts allows nothing.
  const counts = found.every((one, index) => rules[index]?.mode === 'off' || one.signer !== undefined);
  const by = permit && signer !== undefined ? `${permit.by}, signed by ${signer}` : permit?.by;
  return {
    ...(signer === undefined ? {} : { signer }),
    warnings: [...new Set(found.flatMap(({ warnings }) => warnings))],
    ...(permit && counts ? { permit: { ...permit, by: by ?? permit.by } } : {}),
  };
}

const SHOWN = 3;

function refusal(reasons: readonly string[]): SlipwayError {
  const more = reasons.length > SHOWN ? ` And ${reasons.length - SHOWN} more.` : '';
  return new SlipwayError('untrusted', `${reasons.slice(0, SHOWN).join(' ')}${more}`);
}

interface Question {
  readonly commit: string;
  /** What was accepted last. */
  readonly known: string | undefined;
  /** Its message says that it need not build on that. */
  readonly mayRewind: boolean;
}

interface Findings {
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
  readonly signer?: string;
}

type Verdict = { readonly signer: string } | { readonly reason: string };

/** What is looked up once, however many rules ask. */
class Bench implements AsyncDisposable {
  readonly #place: Place;
  readonly #prefix: string;
  readonly #signatures: Signatures;
  readonly #signal: AbortSignal;
  readonly #limit = limiter(CONCURRENCY);
  readonly #checked = new Map<string, ReturnType<Signatures['check']>>();

  static async open(place: Repository, rules: readonly TrustRules[], signal: AbortSignal): Promise<Bench> {
    return new Bench(place, await Signatures.open(rules, signal), signal);
  }

  private constructor(place: Repository, signatures: Signatures, signal: AbortSignal) {
    this.#place = place;
    this.#prefix = place.path === '' ? '' : `${place.path}/`;
    this.#signatures = signatures;
    this.#signal = signal;
  }

  async findings(rules: TrustRules, { commit, known, mayRewind }: Question): Promise<Findings> {
    const place = this.#place;
    const [tip] = await readCommits(place, [commit], this.#signal);
    if (!tip) return { refusals: [], warnings: [] };
    const newest = await this.#verdict(tip, rules);
    const signer = 'signer' in newest ? newest.signer : undefined;
    const told = signer === undefined ? {} : { signer };
    // It was accepted once: rules that came after it are for what comes after them.
    if (commit === known) return { refusals: [], warnings: [], ...told };
    const base = known ?? rules.since;
    const follows = base !== undefined && (await buildsOn(place, base, commit, this.#signal));
    const isRewind = base !== undefined && !follows && !(mayRewind && signer !== undefined);
    const ids = follows ? await newCommits(place, base, commit, this.#signal) : [commit];
    const commits = await readCommits(place, ids, this.#signal);
    const judged = rules.commits === 'each' ? commits : [tip];
    const verdicts = rules.mode === 'off' ? [] : await Promise.all(judged.map((one) => this.#verdict(one, rules)));
    const unsigned = [
      ...(isRewind ? [rewound(tip, base, rules)] : []),
      ...verdicts.flatMap((verdict) => ('reason' in verdict ? [verdict.reason] : [])),
    ];
    const trespasses = (await Promise.all(commits.map((one) => this.#trespasses(one, rules)))).flat();
    // Files that only some may change are kept from others whatever is thought of signatures elsewhere.
    if (rules.mode === 'require' || (isRewind && rules.paths.length > 0))
      return { refusals: [...unsigned, ...trespasses], warnings: [], ...told };
    return { refusals: trespasses, warnings: rules.mode === 'warn' ? unsigned : [], ...told };
  }

  /** Why a commit may not change what it changes. */
  async #trespasses(commit: SignedCommit, rules: TrustRules): Promise<string[]> {
    if (rules.paths.length === 0) return [];
    const touched = [...(await this.#limit(() => touchedBy(this.#place, commit, this.#signal)))]
      .filter((path) => path.startsWith(this.#prefix))
      .map((path) => path.slice(this.#prefix.length));
    const verdict = await this.#verdict(commit, rules);
    return rules.paths.flatMap(({ files, signers }) => {
      const fits = files.map(pathGlob);
      const path = touched.find((each) => fits.some((isIn) => isIn(each)));
      if (path === undefined || ('signer' in verdict && signers.includes(verdict.signer))) return [];
      const who = 'signer' in verdict ? `It is signed by ${verdict.signer}.` : verdict.reason;
      const allowed = `Only ${signers.join(', ')} may change ${path} (${rules.where}), which commit ${commit.title} does.`;
      return [`${allowed} ${who}`];
    });
  }

  async #verdict(commit: SignedCommit, rules: TrustRules): Promise<Verdict> {
    const { id, title, at } = commit;
    const checking = this.#checked.get(id) ?? this.#limit(() => this.#signatures.check(commit));
    this.#checked.set(id, checking);
    const found = await checking;
    const no = (what: string): Verdict => ({ reason: `Commit ${title} ${what}.` });
    if (!('key' in found)) return no(UNUSABLE[found.result]);
    const owner = await this.#ownerOf(found.key, rules);
    const name = nameOf(found.key);
    if (!owner) return no(`is signed with ${name}, which is no key of a signer in ${rules.where}`);
    const { signer, key } = owner;
    if (key.revoked || found.result === 'revoked')
      return no(`is signed by ${signer.name} with ${name}, which was revoked`);
    if (found.result === 'expired') return no(`is signed by ${signer.name} with ${name}, which has expired`);
    const date = Number.isNaN(at) ? 'no date' : new Date(at).toISOString();
    if (key.validFrom !== undefined && !(at >= key.validFrom))
      return no(
        `is signed by ${signer.name} with ${name}, valid from ${new Date(key.validFrom).toISOString()}, and is of ${date}`,
      );
    if (key.validUntil !== undefined && !(at < key.validUntil))
      return no(
        `is signed by ${signer.name} with ${name}, valid until ${new Date(key.validUntil).toISOString()}, and is of ${date}`,
      );
    return { signer: signer.name };
  }

  async #ownerOf(name: KeyName, { signers }: TrustRules) {
    for (const signer of signers)
      for (const key of signer.keys)
        if (await this.#signatures.isKey(key, name)) return { signer, key } satisfies Owner;
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#signatures[Symbol.asyncDispose]();
  }
}

/** Why a signature says nothing of whose it is. */
const UNUSABLE = {
  unsigned: 'is not signed',
  tampered: 'has a signature that does not fit it: it was changed after it was signed',
  unsupported: 'has a signature of a kind that cannot be checked',
} as const;

interface Owner {
  readonly signer: Signer;
  readonly key: Signer['keys'][number];
}

const nameOf = ({ kind, id }: KeyName): string => (kind === 'ssh' ? `the SSH key ${id}` : `the OpenPGP key ${id}`);

/** Whoever can push could bring back any older commit that was signed once, with all that was wrong with it. */
function rewound({ title }: SignedCommit, base: string, { where }: TrustRules): string {
  return `Commit ${title} does not build on ${base.slice(0, 8)}, the last that was accepted (${where}).`;
}
