/**
 * Reads a log again from its beginning, and finds lines that were removed, altered, moved or cut off.
 *
 * The chain has no key: whoever may write to this host could read a key there as well. It proves that nothing was changed
 * without writing every later line anew, and the commits on the branch, whose history only grows, prove how the chain
 * stood when each was pushed. What came after the last commit is only as safe as this host.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { follow, genesis, prevOf, type Head } from './line.ts';
import { anchorOf, linesOf, segmentsIn } from './segments.ts';

export interface Verdict {
  /** Of the chain. */
  readonly chain: string;
  readonly lines: number;
  readonly head: Head | undefined;
  /** What is wrong, with where it is. */
  readonly problems: readonly string[];
  /** What the log itself says is missing: what a crash or a full disk cost. */
  readonly notes: readonly string[];
}

/** One file of a log. */
export interface Content {
  readonly name: string;
  readonly text: string;
  /** The number of its first line, as it is named. */
  readonly first: number;
}

/** More of the same kind are not told one by one. */
const MAX_PROBLEMS = 20;

/** @param checkpoints hashes that lines must have, by number @throws as `node:fs` does when there is no log */
export function verifyLocal(dir: string, checkpoints: ReadonlyMap<number, string>): Verdict {
  const anchor = anchorOf(dir);
  if (!anchor) return { chain: '', lines: 0, head: undefined, problems: ['there is no audit log here'], notes: [] };
  const reader = new Reader(anchor.chain, checkpoints);
  for (const { file, first } of segmentsIn(dir))
    reader.read({ name: basename(file), text: readFileSync(file, 'utf8'), first });
  return reader.end(anchor.head);
}

/** @param contents in their order @param checkpoints as above; here every one of them must be met */
export function verifyContents(
  chain: string,
  contents: Iterable<Content>,
  checkpoints: ReadonlyMap<number, string>,
): Verdict {
  const reader = new Reader(chain, checkpoints);
  for (const content of contents) reader.read(content);
  return reader.end(undefined);
}

class Reader {
  readonly #chain: string;
  readonly #checkpoints: ReadonlyMap<number, string>;
  readonly #problems: string[] = [];
  readonly #notes: string[] = [];
  #head: Head | undefined;
  /** What the first line follows, if that was removed as old; to be vouched for by a later line. */
  #missing: Head | undefined;
  #lines = 0;

  constructor(chain: string, checkpoints: ReadonlyMap<number, string>) {
    this.#chain = chain;
    this.#checkpoints = checkpoints;
  }

  read({ name, text, first }: Content): void {
    const lines = linesOf(text);
    const rest = text.length - lines.reduce((sum, line) => sum + line.length + 1, 0);
    if (this.#lines === 0) this.#begin(first, lines[0] ?? '');
    const before = this.#head?.seq ?? 0;
    if (first > before + 1) {
      this.#wrong(`${name}: lines ${before + 1}–${first - 1} are missing`);
      this.#head = { seq: first - 1, hash: prevOf(lines[0] ?? '') };
    } else if (first <= before) this.#wrong(`${name}: its lines should begin with ${before + 1}`);
    for (const [index, line] of lines.entries()) {
      const next = follow(line, this.#head);
      this.#lines++;
      if (typeof next === 'string') {
        this.#wrong(`${name}:${index + 1}: ${next}`);
        const own = follow(line, undefined);
        // The rest is read as if this line were right, so that one change is one problem.
        this.#head = typeof own === 'string' ? { seq: first + index, hash: prevOf(lines[index + 1] ?? '') } : own;
      } else this.#head = next;
      this.#check(`${name}:${index + 1}`, this.#head, line);
    }
    if (rest > 0) this.#notes.push(`${name}: half a line at the end (${rest} characters): it is being written, or was`);
  }

  /** @param noted how far the log was when that was last written down beside it */
  end(noted: Head | undefined): Verdict {
    const head = this.#head;
    const newest = [...this.#checkpoints.keys()].reduce((a, b) => Math.max(a, b), noted?.seq ?? 0);
    if (newest > (head?.seq ?? 0)) this.#wrong(`the lines ${(head?.seq ?? 0) + 1}–${newest} are missing at the end`);
    if (noted && head && noted.seq === head.seq && noted.hash !== head.hash)
      this.#wrong(`line ${head.seq} is another than was written`);
    if (this.#missing) this.#wrong(`the lines up to ${this.#missing.seq} are missing, and the log does not say why`);
    return { chain: this.#chain, lines: this.#lines, head, problems: this.#problems, notes: this.#notes };
  }

  #begin(first: number, line: string): void {
    if (first === 1) return void (this.#head = genesis(this.#chain));
    this.#head = { seq: first - 1, hash: prevOf(line) };
    this.#missing = this.#head;
  }

  #check(where: string, { seq, hash }: Head, line: string): void {
    const pinned = this.#checkpoints.get(seq);
    if (pinned !== undefined && pinned !== hash)
      this.#wrong(`${where}: line ${seq} is not the one that was committed to git`);
    if (!line.includes('"source":"audit"')) return;
    const { ts, method, detail } = eventOf(line);
    if (method === 'pruned' && this.#missing && isAbout(detail, this.#missing)) this.#missing = undefined;
    if (method === 'gap')
      this.#notes.push(
        `${ts}: ${detail['bytes']} bytes were cut off at a start, and ${detail['lost']} lines were gone`,
      );
    if (method === 'dropped') this.#notes.push(`${ts}: ${detail['count']} events were left out`);
  }

  #wrong(problem: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
    else if (this.#problems.length === MAX_PROBLEMS) this.#problems.push('and more');
  }
}

/** A crash while files were removed leaves the newer of them: the chain itself goes from there to the line that is named. */
const isAbout = ({ through, hash }: Readonly<Record<string, unknown>>, missing: Head): boolean =>
  Number(through) > missing.seq || (through === missing.seq && hash === missing.hash);

function eventOf(line: string): { ts?: string; method?: string; detail: Readonly<Record<string, unknown>> } {
  try {
    return { detail: {}, ...(JSON.parse(line) as object) };
  } catch {
    return { detail: {} };
  }
}
