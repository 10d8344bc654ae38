/** Which values of a file SOPS encrypts: all but those below a key with the suffix, unless the file says otherwise. */
import { Unavailable } from '../unavailable.ts';

/** True for a key that makes everything at and below it so. */
export interface Rules {
  readonly matches: (key: string) => boolean;
  /** What a match means: that it is encrypted, or that it is not. */
  readonly encrypts: boolean;
}

const RULES = ['unencrypted_suffix', 'encrypted_suffix', 'unencrypted_regex', 'encrypted_regex'] as const;
const BY_COMMENT = ['unencrypted_comment_regex', 'encrypted_comment_regex'];
const DEFAULT_SUFFIX = '_unencrypted';

/** @param metadata what the file says of itself @throws Unavailable */
export function rulesOf(metadata: Readonly<Record<string, unknown>>): Rules {
  const given = (name: string): string => (typeof metadata[name] === 'string' ? metadata[name] : '');
  const comment = BY_COMMENT.find((name) => given(name) !== '');
  if (comment !== undefined)
    throw new Unavailable(`${comment} is not read`, 'Use encrypted_regex or a suffix in .sops.yaml instead.');
  const [rule, another] = RULES.filter((name) => given(name) !== '');
  if (another !== undefined) throw new Unavailable(`it has both ${rule} and ${another}`);
  if (rule === undefined) return { matches: (key) => key.endsWith(DEFAULT_SUFFIX), encrypts: false };
  const text = given(rule);
  const encrypts = rule.startsWith('encrypted');
  if (rule.endsWith('suffix')) return { matches: (key) => key.endsWith(text), encrypts };
  const pattern = regex(rule, text);
  return { matches: (key) => pattern.test(key), encrypts };
}

export function isEncryptedBy({ matches, encrypts }: Rules, path: readonly string[]): boolean {
  return path.some(matches) === encrypts;
}

/** Go writes flags for the whole in front, `(?i)`; the rest of what people write means the same in both languages. */
function regex(rule: string, text: string): RegExp {
  const [, flags = '', pattern = ''] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(text) ?? [];
  try {
    return new RegExp(pattern, `${flags}u`);
  } catch {
    throw new Unavailable(
      `its ${rule} is no pattern that can be read here`,
      'Write it in what Go and JavaScript share.',
    );
  }
}
