/**
 * What somebody should look at before they trust a tool: hidden characters, and words that are for the model and not about
 * the tool (tool poisoning: Invariant Labs, CVE-2025-54136). Signs, not proof: they are told and block nothing.
 */
import { bare, hiddenIn, visible } from './hidden.ts';
import type { Listed } from './pin.ts';

export const FINDINGS = ['hidden-unicode', 'instructions', 'look-alike', 'duplicate'] as const;

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
/** Of one text (characters). */
const MAX_TEXT = 100_000;
const MAX_QUOTED = 80;

/** Ways to give orders in a description. Bounded repetitions only: texts come from strangers. */
const ORDERS: readonly (readonly [what: string, pattern: RegExp])[] = [
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
  [
    'wants something sent elsewhere',
    /\b(?:send|forward|bcc|upload|post|exfiltrate|leak)\b.{0,60}?(?:\bhttps?:\/\/|\b[\w.+-]{1,64}@[\w-]{1,64}\.\w{2,12}\b)/i,
  ],
];

const known = new WeakMap<Listed, readonly Omit<Finding, 'server'>[]>();

/** What is to be found in each of a server's tools. Looked for once in each item. */
export function findingsIn(server: string, tools: readonly Listed[]): Finding[] {
  return tools.flatMap((tool) => {
    let found = known.get(tool);
    if (!found) known.set(tool, (found = inTool(tool)));
    return found.map((finding) => ({ server, ...finding }));
  });
}

function inTool(tool: Listed): Omit<Finding, 'server'>[] {
  const name = visible(String(tool['name']));
  const { _meta: _, ...seen } = tool;
  const found = textsIn(seen).flatMap(([path, text]) => inText(path, text));
  return found.map((finding) => ({ tool: name, ...finding }));
}

function inText(path: string, whole: string): Pick<Finding, 'kind' | 'message'>[] {
  const text = whole.slice(0, MAX_TEXT);
  const hidden = hiddenIn(text);
  // As a model may read it, whatever stands between its letters.
  const read = bare(text).normalize('NFKC').replaceAll(/\s+/g, ' ');
  const orders = ORDERS.flatMap(([what, pattern]) => {
    const match = pattern.exec(read)?.[0];
    return match === undefined ? [] : [{ kind: 'instructions' as const, message: `${path} ${what}: ${quoted(match)}` }];
  });
  return [
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
