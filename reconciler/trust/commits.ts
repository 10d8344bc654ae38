/** Commits as they are signed: their bytes without the signature, and the signature. */
import { SlipwayError } from '../../schemas/errors.ts';
import { git, gitStream } from '../source/git-command.ts';
import type { Repository } from '../source/source.ts';

export type Place = Pick<Repository, 'dir' | 'env'>;

export interface SignedCommit {
  readonly id: string;
  readonly parents: readonly string[];
  /** When it says it was committed. Milliseconds since 1970. */
  readonly at: number;
  /** For people: `1a2b3c4d (Fix it, by Ada <ada@example.com>)`. */
  readonly title: string;
  /** What was signed. */
  readonly payload: Buffer;
  /** Armored; absent where it is not signed. */
  readonly signature?: string;
}

/** git would look at other objects than those that were fetched where such refs exist. */
const at = ({ dir, env }: Place) => ({ cwd: dir, env: { ...env, GIT_NO_REPLACE_OBJECTS: '1' } });
const MAX_TITLE = 72;

/** @throws SlipwayError source-unreachable when one is not there */
export async function readCommits(place: Place, ids: readonly string[], signal: AbortSignal): Promise<SignedCommit[]> {
  if (ids.length === 0) return [];
  const input = ids.map((id) => `${id}\n`).join('');
  const output = await gitStream(['cat-file', '--batch'], { ...at(place), signal, input });
  const commits: SignedCommit[] = [];
  let offset = 0;
  for (const id of ids) {
    const end = output.indexOf(0x0a, offset);
    const size = /^[0-9a-f]+ commit (\d+)$/.exec(output.toString('latin1', offset, end))?.[1];
    if (size === undefined) throw new SlipwayError('source-unreachable', `The mirror has no commit ${id.slice(0, 8)}.`);
    commits.push(commitOf(id, output.subarray(end + 1, end + 1 + Number(size))));
    offset = end + 1 + Number(size) + 1;
  }
  return commits;
}

/** Ids of what is in `tip` and not in `base`, merges included; the newest first. */
export async function newCommits(place: Place, base: string, tip: string, signal: AbortSignal): Promise<string[]> {
  const output = await git(['rev-list', '--topo-order', tip, `^${base}`], { ...at(place), signal });
  return output.split('\n').filter(Boolean);
}

/** Whether `tip` builds on `base`. What is not even there any more is no base. */
export async function buildsOn(place: Place, base: string, tip: string, signal: AbortSignal): Promise<boolean> {
  const found = await git(['merge-base', '--is-ancestor', base, tip], { ...at(place), signal }).then(
    () => true,
    () => false,
  );
  signal.throwIfAborted();
  return found;
}

function commitOf(id: string, raw: Buffer): SignedCommit {
  // Latin 1 keeps every byte as it is.
  const text = raw.toString('latin1');
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const fields = fieldsOf(head);
  const signatures = fields.filter(({ name }) => name === 'gpgsig' || name === 'gpgsig-sha256');
  const payload = [
    ...fields.filter((field) => !signatures.includes(field)).map(({ lines }) => lines),
    text.slice(head.length + 1),
  ];
  const valuesOf = (wanted: string): string[] => fields.filter(({ name }) => name === wanted).map(({ value }) => value);
  const [committer = ''] = valuesOf('committer');
  // With two signatures it would be anybody's guess which one counts: then none does.
  const [signature, ...others] = signatures;
  return {
    id,
    parents: valuesOf('parent'),
    at: Number(/ (\d+) [+-]\d{4}$/.exec(committer)?.[1] ?? Number.NaN) * 1000,
    title: titleOf(id, text.slice(head.length + 2), valuesOf('author')[0] ?? ''),
    payload: Buffer.from(payload.join('\n'), 'latin1'),
    ...(signature ? { signature: others.length === 0 ? signature.value : '' } : {}),
  };
}

interface Field {
  readonly name: string;
  readonly value: string;
  /** As they stand in the object. */
  readonly lines: string;
}

/** Headers of a commit object; a value goes on in lines that begin with a space. */
function fieldsOf(head: string): Field[] {
  const blocks = head.split(/\n(?! )/);
  return blocks.map((lines) => {
    const space = lines.indexOf(' ');
    return { name: lines.slice(0, space), value: lines.slice(space + 1).replaceAll('\n ', '\n'), lines };
  });
}

function titleOf(id: string, message: string, author: string): string {
  const read = (text: string): string => {
    const line = Buffer.from(text, 'latin1').toString('utf8').replaceAll(/\p{C}/gu, ' ').trim();
    return line.length > MAX_TITLE ? `${line.slice(0, MAX_TITLE - 1)}…` : line;
  };
  const subject = read(message.split('\n')[0] ?? '');
  return `${id.slice(0, 8)} (${subject === '' ? 'no subject' : subject}, by ${read(author.replace(/ \d+ [+-]\d{4}$/, ''))})`;
}
