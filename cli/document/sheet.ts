/** A text and what is to be changed in it. Everything between the changes stays byte by byte. */
import { isAlias, isCollection, isPair, isScalar, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Quote } from './render.ts';

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What is written in a way that is not edited in place; the document is then written anew. */
export class Unusual extends Error {}

export class Sheet {
  readonly source: string;
  readonly newline: string;
  readonly #splices: Splice[] = [];

  constructor(source: string) {
    this.source = source;
    this.newline = /\r?\n/.exec(source)?.[0] ?? '\n';
  }

  replace(start: number, end: number, text: string): void {
    this.#splices.push({ start, end, text });
  }

  /** New lines below the one that holds `position`. */
  insertLines(position: number, lines: readonly string[]): void {
    const at = this.lineEnd(position);
    this.replace(at, at, lines.map((line) => this.newline + line).join(''));
  }

  /** The lines from `start` to `end`, with the comments directly above that are indented alike. */
  removeLines(start: number, end: number): void {
    this.replace(this.above(start), this.lineEnd(end), '');
  }

  /** The end of the line above the one that holds `position`, and above the comments that belong to it. */
  above(position: number): number {
    const indent = this.indentAt(position);
    let start = this.lineStart(position);
    while (start > 0) {
      const before = this.lineStart(start - 1);
      const line = this.source.slice(before, start);
      if (!line.startsWith(`${indent}#`)) break;
      start = before;
    }
    if (start === 0) throw new Unusual();
    return this.lineEnd(this.lineStart(start - 1));
  }

  lineStart(position: number): number {
    return this.source.lastIndexOf('\n', position - 1) + 1;
  }

  /** Before the line break. */
  lineEnd(position: number): number {
    const end = this.source.indexOf('\n', position);
    if (end < 0) return this.source.length;
    return this.source[end - 1] === '\r' && end > position ? end - 1 : end;
  }

  /** How far in the line begins. */
  indentAt(position: number): string {
    return /^ */.exec(this.source.slice(this.lineStart(position)))?.[0] ?? '';
  }

  /** Whether nothing but spaces stands before it on its line. */
  beginsLine(position: number): boolean {
    return this.source.slice(this.lineStart(position), position).trim() === '';
  }

  /** @throws Unusual where changes touch each other */
  result(): string {
    const sorted = this.#splices.sort((a, b) => a.start - b.start || a.end - b.end);
    let [text, at] = ['', 0];
    for (const splice of sorted) {
      if (splice.start < at) throw new Unusual();
      text += this.source.slice(at, splice.start) + splice.text;
      at = splice.end;
    }
    return text + this.source.slice(at);
  }
}

export function startOf(node: Node): number {
  if (!node.range) throw new Unusual();
  return node.range[0];
}

/** Where the content of a value ends; the line break that ends a block of text is not part of it. */
export function contentEnd(sheet: Sheet, node: Node): number {
  const end = node.range?.[1];
  if (end === undefined) throw new Unusual();
  if (isCollection(node) && !node.flow) {
    const last: unknown = node.items.at(-1);
    const inner = isPair(last) ? last.value : last;
    return isNodeLike(inner) ? contentEnd(sheet, inner) : end;
  }
  const isBlockText = isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED');
  return isBlockText ? end - (/\r?\n$/.exec(sheet.source.slice(startOf(node), end))?.[0].length ?? 0) : end;
}

/** Of a pair in a block: just behind its colon. @throws Unusual where it has none */
export function colonEnd(pair: Pair): number {
  const token = pair.srcToken as { start: Token[]; sep?: Token[] } | undefined;
  const colon = token?.sep?.find(({ type }) => type === 'map-value-ind');
  if (!colon || token?.start.some(({ type }) => type === 'explicit-key-ind')) throw new Unusual();
  return colon.offset + 1;
}

/** Of every item of a list in a block: its dash. @throws Unusual where they cannot be told */
export function dashes(list: YAMLSeq): number[] {
  const token = list.srcToken as { items?: { start: Token[] }[] } | undefined;
  const found = (token?.items ?? []).flatMap(({ start }) => start.filter(({ type }) => type === 'seq-item-ind'));
  if (found.length !== list.items.length) throw new Unusual();
  return found.map(({ offset }) => offset);
}

interface Token {
  readonly type: string;
  readonly offset: number;
}

export const isNodeLike = (value: unknown): value is Node => isScalar(value) || isCollection(value) || isAlias(value);

/** Keys of a map as text, each with its node. @throws Unusual for keys that are no plain values */
export function keyed(map: YAMLMap): { key: string; keyNode: Node; value: Node; pair: Pair }[] {
  return map.items.map((pair) => {
    if (!isScalar(pair.key) || !isNodeLike(pair.value)) throw new Unusual();
    return { key: String(pair.key.value), keyNode: pair.key, value: pair.value, pair };
  });
}

/** Stands on the line of its key: whatever is no block. */
export function isInline(node: Node): boolean {
  if (isCollection(node)) return node.flow === true;
  return !(isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED'));
}

export const nodesOf = (list: YAMLSeq): Node[] =>
  list.items.map((item) => {
    if (!isNodeLike(item)) throw new Unusual();
    return item;
  });

export function quoteOf(node: Node): Quote {
  return isScalar(node) && (node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE') ? node.type : undefined;
}
