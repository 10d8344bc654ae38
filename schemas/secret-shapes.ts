/**
 * Secrets that can be told by their shape alone: tokens with a prefix of their maker, private keys, passwords in URLs.
 * What merely looks random stays; it could be anything.
 *
 * ReDoS: texts come from servers, so they may be made to be slow. No repetition here stands where another could take over
 * its characters, what has no upper bound begins only where such a run begins, and keys are found by a scan: the time is
 * proportional to the text.
 */
import { isVerbatim } from './exact-json.ts';

/** Kind → what it looks like. Prefixes are the makers' own, as their documentation gives them. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  'aws-access-key': /(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])/,
  'github-token': /gh[oprsu]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}/,
  'gitlab-token': /gl(?:agent|cbt|dt|ffct|ft|imt|oas|pat|ptt|rt|soat)-[A-Za-z0-9_.-]{20,300}/,
  'slack-token': /xox[abceoprs]-[A-Za-z0-9-]{10,255}|xapp-[A-Za-z0-9-]{10,255}/,
  'slack-webhook': /https:\/\/hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9/_-]{20,255}/,
  'google-api-key': /AIza[A-Za-z0-9_-]{35}/,
  'google-oauth': /ya29\.[A-Za-z0-9_-]{20,2000}|GOCSPX-[A-Za-z0-9_-]{20,64}/,
  'anthropic-key': /sk-ant-[A-Za-z0-9_-]{20,255}/,
  'openai-key': /sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,255}|sk-[A-Za-z0-9]{32,64}(?![A-Za-z0-9_-])/,
  'huggingface-token': /hf_[A-Za-z0-9]{30,64}/,
  'stripe-key': /(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,255}|whsec_[A-Za-z0-9+/=]{24,255}/,
  'npm-token': /npm_[A-Za-z0-9]{36,64}/,
  'pypi-token': /pypi-[A-Za-z0-9_-]{50,1000}/,
  'sendgrid-key': /SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}/,
  'digitalocean-token': /do[opr]_v1_[a-f0-9]{64}/,
  'shopify-token': /shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}/,
  'databricks-token': /dapi[a-f0-9]{32}/,
  'vault-token': /hv[bsr]\.[A-Za-z0-9_-]{24,300}/,
  'linear-key': /lin_(?:api|oauth)_[A-Za-z0-9]{32,64}/,
  'atlassian-token': /ATATT3[A-Za-z0-9_=-]{50,255}/,
  'discord-token': /[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}/,
  'telegram-token': /[0-9]{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/,
  'age-key': /AGE-SECRET-KEY-1[0-9A-Z]{58}/,
  'slipway-token': /slw_[A-Za-z0-9_-]{43}/,
  jwt: /(?<![_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*/,
};

/** Things that are secret because of what stands before them: only the part after it is taken out. */
const MARKED: Readonly<Record<string, RegExp>> = {
  // In a URL the last `@` before the path ends the password (RFC 3986 §3.2.1 would have others escaped).
  password: /(:\/\/[^\s:@/"'<>\\]{0,128}:)[^\s/"'<>\\]{1,512}(?=@)/,
  authorization: /((?:[Bb]earer|[Bb]asic) )[A-Za-z0-9._~+/=-]{20,4096}/,
  'aws-secret': /(aws_secret_access_key["']? {0,4}[=:] {0,4}["']?)[A-Za-z0-9/+]{40}/i,
  'azure-key': /((?:Account|SharedAccess)Key=)[A-Za-z0-9+/]{40,100}={0,2}/,
};

/**
 * One alternative for each kind, so that a text is read once. A secret does not begin in the middle of a word, but it may
 * after a character that is escaped, in JSON within a text or in a URL, and after what colours a terminal (ECMA-48 §5.4).
 */
const shaped = new RegExp(
  `(?:(?<![A-Za-z0-9])|(?<=\\\\[nrt]|%[0-9A-Fa-f]{2}|\u001b\\[[0-9;]{0,20}[A-Za-z]))(?:${Object.values(SHAPES)
    .map(({ source }) => `(${source})`)
    .join('|')})`,
  'g',
);
const kinds = Object.keys(SHAPES);
const marked = Object.entries(MARKED).map(
  ([kind, { source, flags }]) => [kind, new RegExp(source, `g${flags}`)] as const,
);

export const SECRET_KINDS: readonly string[] = ['private-key', ...kinds, ...Object.keys(MARKED)];

const KEY_BEGIN = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
const KEY_END = '-----END ';
/** What a key that was cut off looks like from its beginning on, after headers (RFC 1421 §4.6, RFC 9580 §6.2.2). JSON within a text has `\n` for a new line. */
const KEY_BODY = /(?:[\s\\nr]{0,8}[A-Z][A-Za-z0-9-]{0,40}: [^\n\\]{0,200})*[A-Za-z0-9+/=\s\\]*/y;
/** A larger one is no key (characters). */
const MAX_KEY = 32_768;

export interface Redacted {
  readonly text: string;
  /** How many secrets were taken out. */
  readonly count: number;
}

/** Replaces what has the shape of a secret by `[redacted:<kind>]`. */
export function redactText(text: string): Redacted {
  let count = 0;
  const mask = (kind: string): string => {
    count++;
    return `[redacted:${kind}]`;
  };
  let result = withoutKeys(text, mask);
  result = result.replace(shaped, (...found: unknown[]) => {
    const at = found.findIndex((group, index) => index > 0 && group !== undefined);
    return mask(kinds[at - 1] ?? 'secret');
  });
  for (const [kind, shape] of marked)
    result = result.replace(shape, (whole: string, mark: string) =>
      // It may be what was put there a moment ago.
      whole.startsWith('[redacted:', mark.length) ? whole : mark + mask(kind),
    );
  return { text: result, count };
}

/** Blocks as PEM (RFC 7468) and OpenPGP write them. One whose end is missing was cut off, and is no less secret. */
function withoutKeys(text: string, mask: (kind: string) => string): string {
  let result = '';
  let from = 0;
  let end = 0;
  KEY_BEGIN.lastIndex = 0;
  for (let found = KEY_BEGIN.exec(text); found; found = KEY_BEGIN.exec(text)) {
    const body = KEY_BEGIN.lastIndex;
    // Looked for once, however many beginnings there are.
    if (end !== -1 && end < body) end = text.indexOf(KEY_END, body);
    const closed = end === -1 || end - body > MAX_KEY ? -1 : text.indexOf('-----', end + KEY_END.length);
    KEY_BODY.lastIndex = body;
    KEY_BODY.exec(text);
    const after = closed === -1 || closed - end > 80 ? KEY_BODY.lastIndex : closed + 5;
    result += text.slice(from, found.index) + mask('private-key');
    from = after;
    KEY_BEGIN.lastIndex = after;
  }
  return from === 0 ? text : result + text.slice(from);
}

/**
 * The same for every text in a JSON value: its structure stays as it is. Pictures and other bytes are passed over, and so are the names
 * of fields.
 * @param clean what is done to each text
 * @returns the value itself where there was nothing to take out
 */
export function redactValue(
  value: unknown,
  clean: (text: string) => Redacted = redactText,
): { value: unknown; count: number } {
  let count = 0;
  const walk = (each: unknown, isData = false): unknown => {
    if (typeof each === 'string') {
      const found = clean(each);
      count += found.count;
      return found.count > 0 ? found.text : each;
    }
    if (Array.isArray(each))
      return changed(
        each,
        each.map((inner) => walk(inner, isData)),
      );
    if (typeof each !== 'object' || each === null || isVerbatim(each)) return each;
    const entries = Object.entries(each);
    const after = entries.map(([key, inner]) =>
      !isData && isBytes(each, key) ? inner : walk(inner, isData || DATA.has(key)),
    );
    const same = after.every((inner, at) => inner === entries[at]?.[1]);
    return same ? each : Object.fromEntries(entries.map(([key], at) => [key, after[at]]));
  };
  return { value: walk(value), count };
}

const changed = (before: unknown[], after: unknown[]): unknown[] =>
  after.every((each, at) => each === before[at]) ? before : after;

/** What is in these is a server's own: there a field of any name may hold a text. */
const DATA: ReadonlySet<string> = new Set(['structuredContent', '_meta']);

/** Base64 in MCP: `blob` of a resource, `data` of an image or a sound. */
function isBytes(holder: object, key: string): boolean {
  const { type } = holder as { type?: unknown };
  return key === 'blob' || (key === 'data' && (type === 'image' || type === 'audio'));
}
