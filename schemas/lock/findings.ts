/**
 * What somebody should look at before they trust a tool: hidden characters, and words that are for the model and not about
 * the tool (tool poisoning: Invariant Labs, CVE-2025-54136). Signs, not proof: they are told and block nothing.
 */
import { bare, hiddenIn, visible } from './hidden.ts';
import type { Listed } from './pin.ts';

export const FINDINGS = ['hidden-unicode', 'instructions', 'look-alike', 'duplicate', 'unread'] as const;

export interface Finding {
  readonly server: string;
  readonly tool: string;
  readonly kind: (typeof FINDINGS)[number];
  /** What was found, and where. Hidden characters are made visible. */
  readonly message: string;
}

/** What a tool may be made of before the rest is not looked at: a schema that large is a finding of its own elsewhere. */
const MAX_TEXTS = 5_000;
const MAX_DEPTH = 32;
/** Of one text, and of all of a server's (characters): who lists more than a model can read says so to keep us busy. */
const MAX_TEXT = 100_000;
const MAX_TEXT_OF_SERVER = 1_000_000;
const MAX_QUOTED = 80;

/** Ways to give orders in a description. Bounded repetitions only: texts come from strangers. */
const ORDERS: readonly (readonly [what: string, pattern: { exec(text: string): readonly string[] | null }])[] = [
  [
    'asks to ignore instructions',
    /\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}?\b(?:instructions?|prompts?|rules|guidelines|guardrails|system messages?)\b/i,
  ],
  [
    'marks text as an order',
    /<\s{0,3}\/?\s{0,3}(?:important|system|secret|instructions?|hidden|critical|admin|sidenote)\b[^<>]{0,40}>/i,
  ],
  [
    'wants the user not to know',
    /\b(?:do not|don['’]t|never|must not|without|avoid)\s{1,3}(?:\w{1,12}\s){0,2}?(?:tell|mention|inform|notify|reveal|show|alert|ask|disclos|report)\w{0,5}\b.{0,40}?\busers?\b/i,
  ],
  [
    'wants something done before the tool is used',
    /\b(?:before|prior to|whenever|each time|every time)\b.{0,30}?\b(?:using|calling|invoking|running|you use|you call)\b.{0,60}?\b(?:read|send|open|fetch|pass|include|copy|upload|cat)\b/i,
  ],
  [
    'speaks of files with secrets',
    /~\/\.(?:ssh|aws|gnupg|netrc|npmrc|kube|config\/gcloud)\b|\bid_(?:rsa|ed25519|ecdsa)\b|\/etc\/(?:passwd|shadow)\b|\.cursor\/mcp\.json|\.git-credentials\b|\bauthorized_keys\b/i,
  ],
  ['wants something sent elsewhere', { exec: sentElsewhere }],
];

const SENDING = /\b(?:send|forward|bcc|upload|post|exfiltrate|leak)\b/i;
/** How far before an address (characters). */
const MAX_APART = 70;
const ADDRESSES = /\bhttps?:\/\/|@(?=[\w-]{1,64}\.\w{2,12}\b)/gi;
/** How many addresses are looked at: one is enough to be found, and most texts have none. */
const MAX_ADDRESSES = 1_000;

/** From the address back: from each verb on to some address, a text of verbs alone would take for ever. */
function sentElsewhere(text: string): string[] | null {
  for (const { index, 0: sign } of text.matchAll(ADDRESSES).take(MAX_ADDRESSES)) {
    const user = sign === '@' ? (/[\w.+-]+$/.exec(text.slice(Math.max(0, index - 64), index))?.[0].length ?? 0) : 0;
    if (sign === '@' && user === 0) continue;
    const from = Math.max(0, index - user - MAX_APART);
    const verb = SENDING.exec(text.slice(from, index - user));
    if (verb)
      return [/^\S+/.exec(text.slice(index))?.[0].slice(0, MAX_QUOTED) ?? sign].map(
        (end) => text.slice(from + verb.index, index) + end,
      );
  }
  return null;
}

/** What was found in a tool, and how much there was to read (characters). */
interface Read {
  readonly found: readonly Omit<Finding, 'server'>[];
  readonly size: number;
}

const known = new WeakMap<Listed, Read>();

/** What is to be found in each of a server's tools. Looked for once in each item. */
export function findingsIn(server: string, tools: readonly Listed[]): Finding[] {
  const findings: Finding[] = [];
  let size = 0;
  for (const tool of tools) {
    if (size > MAX_TEXT_OF_SERVER) {
      const message = `it was not looked at, nor what comes after it: before it stand more than ${MAX_TEXT_OF_SERVER} characters`;
      findings.push({ server, tool: visible(String(tool['name'])), kind: 'instructions', message });
      break;
    }
    let read = known.get(tool);
    if (!read) known.set(tool, (read = inTool(tool)));
    size += read.size;
    findings.push(...read.found.map((finding) => ({ server, ...finding })));
  }
  return findings;
}

function inTool(tool: Listed): Read {
  const name = visible(String(tool['name']));
  const { _meta: _, ...seen } = tool;
  const texts = textsIn(seen);
  const found: Omit<Finding, 'server'>[] = [];
  let size = 0;
  for (const [path, text] of texts) {
    if (size > MAX_TEXT_OF_SERVER) break;
    size += Math.min(text.length, MAX_TEXT) + path.length;
    found.push(...inText(path, text).map((finding) => ({ tool: name, ...finding })));
  }
  return { found, size };
}

function inText(path: string, whole: string): Pick<Finding, 'kind' | 'message'>[] {
  const text = whole.slice(0, MAX_TEXT);
  const hidden = hiddenIn(text);
  // As a model may read it, whatever stands between its letters.
  const read = bare(text).normalize('NFKC').slice(0, MAX_TEXT).replaceAll(/\s+/g, ' ');
  const orders = ORDERS.flatMap(([what, pattern]) => {
    const match = pattern.exec(read)?.[0];
    return match === undefined ? [] : [{ kind: 'instructions' as const, message: `${path} ${what}: ${quoted(match)}` }];
  });
  const unread = `${path} is longer than ${MAX_TEXT} characters: the rest was not looked at`;
  return [
    ...(whole.length > MAX_TEXT ? [{ kind: 'instructions' as const, message: unread }] : []),
    ...(hidden === undefined ? [] : [{ kind: 'hidden-unicode' as const, message: `${path} has ${hidden}` }]),
    ...orders,
  ];
}

function quoted(text: string): string {
  return JSON.stringify(text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}…`);
}

/** All texts of a tool with where they stand, names of properties among them: a model reads them all. */
function textsIn(tool: Listed): (readonly [path: string, text: string])[] {
  const texts: (readonly [string, string])[] = [];
  const walk = (value: unknown, path: string, depth: number): void => {
    if (texts.length >= MAX_TEXTS || depth > MAX_DEPTH) return;
    if (typeof value === 'string') return void texts.push([visible(path), value]);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const at = path === '' ? key : `${path}.${key}`;
      if (!Array.isArray(value)) texts.push([`the key ${visible(at)}`, key]);
      walk(child, at, depth + 1);
    }
  };
  walk(tool, '', 0);
  return texts;
}
