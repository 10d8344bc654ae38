/** What begins at which line of YAML, code and prose, told by the line alone: no parser can be brought to its knees by what it reads. */
import type { Mark } from './marks.ts';

/** Of a line, so much is looked at (characters). */
const LOOKED_AT = 200;

interface Line {
  readonly at: number;
  readonly text: string;
}

/** Lines with where they begin; cut off, but never before their first {@link LOOKED_AT} characters. */
export function* linesOf(text: string): Generator<Line> {
  for (let at = 0; at < text.length;) {
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : found;
    yield { at, text: text.slice(at, Math.min(end, at + LOOKED_AT)).trimEnd() };
    at = end + 1;
  }
}

const YAML_KEY = /^( {0,40})(?:- )?("[^"]{1,80}"|'[^']{1,80}'|[A-Za-z0-9_.$/@-]{1,80}):(?: |$)/;
const YAML_ITEM = /^( {0,40})- \S/;

/** `undefined` for what is no YAML of keys or items: then any line could be anything. */
export function yamlMarks(text: string): Mark[] | undefined {
  const marks: Mark[] = [];
  for (const { at, text: line } of linesOf(text)) {
    if (line === '' || /^\s*#/.test(line) || line === '...') continue;
    if (line.startsWith('---')) {
      marks.push({ at, level: 1, title: `document ${marks.length === 0 ? 1 : line.slice(3).trim()}`.trim() });
      continue;
    }
    const key = YAML_KEY.exec(line);
    const item = key ?? YAML_ITEM.exec(line);
    if (!item && !line.startsWith(' ')) return undefined;
    if (item) marks.push({ at, level: 2 + (item[1] ?? '').length, title: line.trim().slice(0, 80) });
  }
  return marks.filter(({ level }) => level <= 2).length >= 2 ? marks : undefined;
}

const NAME = '[A-Za-z_$][\\w$]{0,80}';
const BEFORE =
  '(?:(?:export|default|declare|async|abstract|final|static|public|private|protected|internal|sealed|partial|pub(?:\\([a-z]{1,9}\\))?|unsafe|override|open|data) ){0,6}';
const DEFINITIONS: readonly RegExp[] = [
  new RegExp(`^${BEFORE}(?:function\\*?|def|fn|func|fun|sub) ?(?:\\([^)]{0,80}\\) ?)?(${NAME})`),
  new RegExp(
    `^${BEFORE}(?:class|interface|enum|struct|trait|impl|record|object|namespace|module|protocol|extension) (${NAME})`,
  ),
  new RegExp(`^${BEFORE}type (${NAME})(?:<[^>]{0,80}>)? (?:=|struct|interface)`),
  new RegExp(
    `^${BEFORE}(?:const|let|var) (${NAME}) = (?:async )?(?:function|\\([^)]{0,120}\\)(?:: [^=]{1,60})? =>|[a-z]{1,20} =>)`,
  ),
  // What C and its heirs call a function: `int main(void) {`
  new RegExp(`^[A-Za-z_][\\w:<>,*& ]{0,80}[ *&](${NAME})\\([^;=]{0,120}\\)(?: const)?(?: throws [\\w, ]{1,60})? ?\\{$`),
];
const NO_DEFINITION = /^(?:if|for|while|switch|catch|return|else|do|new|throw|await|yield|case) ?\b/;
/** What is said of a definition stands above it. */
const ABOVE = /^\s*(?:\/\/|\/?\*|#(?!include|define|if|endif)|@|"""|--)/;

/** `undefined` for what has hardly any definition: it is no code. */
export function codeMarks(text: string): Mark[] | undefined {
  const marks: Mark[] = [];
  let above: number | undefined;
  for (const { at, text: line } of linesOf(text)) {
    const trimmed = line.trimStart();
    const name = NO_DEFINITION.test(trimmed) ? undefined : definedIn(trimmed);
    if (name !== undefined) {
      const indent = line.length - trimmed.length;
      marks.push({ at: above ?? at, level: 1 + Math.min(indent, 40), title: name });
    }
    above = name === undefined && ABOVE.test(line) ? (above ?? at) : undefined;
  }
  return marks.filter(({ level }) => level === 1).length >= 2 ? marks : undefined;
}

function definedIn(line: string): string | undefined {
  for (const shape of DEFINITIONS) {
    const found = shape.exec(line);
    if (found) return found[1];
  }
  return undefined;
}

/** A paragraph begins behind an empty line. */
export function proseMarks(text: string): Mark[] {
  const marks: Mark[] = [];
  let isOpen = false;
  for (const { at, text: line } of linesOf(text)) {
    if (line === '') isOpen = false;
    else if (!isOpen) {
      isOpen = true;
      marks.push({ at, level: 1, title: line.trim().slice(0, 60) });
    }
  }
  return marks;
}
