/** Arguments and addresses stand in the repo as they are: what is secret in them is masked, and told. Pure. */
import { looksSecret, MASK } from '../../schemas/sensitive.ts';

/** Token shapes that are secret whatever they are called: with a prefix that issuers give, or long and mixed. */
const SECRET_SHAPE =
  /^(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|pk_live_|sk_live_|AKIA|AIza|ya29\.|npm_|pypi-|slw_|eyJ[\w-]+\.)[\w+/=.-]{12,}$|^-----BEGIN /;
const MIXED = /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w+/=.-]{32,}$/;
/** Long and mixed as well. */
const FILE_PATH = /^[~.]{0,2}\/|\.\w{1,5}$/;
const VARIABLE = /^(\$\{[^}]+\}|\{file:[^}]+\}|\$[A-Za-z_]\w*)$/;

/** Names of what says where a secret is, or that there is none: `--no-auth`, `--token-file`. */
const HARMLESS = /^-*(no|skip|disable|without)[-_]|[-_](file|path|dir|env|var|name|url|uri|endpoint|type|mode)$/i;

/** Of all arguments: one that follows a flag that sounds like a secret, one that looks so, and whatever of a text does. */
export function hideArguments(argv: readonly string[]): string[] {
  return argv.map((word, at) => {
    const before = (argv[at - 1] ?? '').replace(/^["']|:$/g, '');
    const isNamed = before !== argv[at - 1] || /^--?[A-Za-z]/.test(before);
    const isValue = isNamed && !before.includes('=') && !word.startsWith('-');
    return isValue && soundsSecret(before) ? hidden(word) : hideText(word);
  });
}

/** `--token=x`, `Authorization: Bearer x`, `postgres://me:x@host`, `sh -c "TOKEN=x it --key x"`, `{"apiKey":"x"}`, `${TOKEN:-x}`. */
export function hideText(text: string): string {
  if (isToken(text)) return MASK;
  const [, name = '', mark = '', rest = ''] = /^(-{0,2}[A-Za-z][\w.-]*)(=|: *)(.+)$/s.exec(text) ?? [];
  if (soundsSecret(name) || isToken(rest)) return name + mark + hidden(rest);
  if (mark === '=') return name + mark + hideText(rest);
  const inside = withoutDefaults(text)
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"']+/gi, hideAddress)
    .replace(/\b(bearer +)([^\s"']+)/gi, (_, scheme: string, value: string) => scheme + hidden(value))
    .replace(/"([\w.-]+)"(\s*:\s*)"((?:[^"\\]|\\.)*)"/g, (whole, field: string, colon: string, value: string) =>
      soundsSecret(field) || isToken(value) ? `"${field}"${colon}"${hidden(value)}"` : whole,
    );
  const spaces = inside.match(/\s+/g);
  if (!spaces) return inside;
  return hideArguments(inside.split(/\s+/))
    .map((word, at) => word + (spaces[at] ?? ''))
    .join('');
}

/** An address with a password, a token instead of one, or either in its path or query. */
function hideAddress(url: string): string {
  const [, scheme = '', user = '', host = '', path = '', query = ''] =
    /^([^:]+:\/\/)([^/?#]*@)?([^/?#]*)([^?#]*)(.*)$/s.exec(url) ?? [];
  const [name = '', password] = user.slice(0, -1).split(/:(.*)/s, 2);
  const who = password === undefined ? (isToken(name) ? MASK : name) : `${name}:${hidden(password)}`;
  const parts = path.split('/').map((part) => (isToken(part) ? MASK : part));
  const asked = query.replace(/([?&;#])([\w.-]+)=([^&;#]+)/g, (whole, mark: string, key: string, value: string) =>
    soundsSecret(key) || isToken(value) ? `${mark}${key}=${hidden(value)}` : whole,
  );
  return scheme + (user === '' ? '' : `${who}@`) + host + parts.join('/') + asked;
}

export const secretShaped = (text: string): boolean => SECRET_SHAPE.test(text) || MIXED.test(text);

const isToken = (text: string): boolean => secretShaped(text) && (SECRET_SHAPE.test(text) || !FILE_PATH.test(text));

function withoutDefaults(text: string): string {
  return text.replace(/\$\{([A-Za-z_]\w*):-[^}]*\}/g, (whole, name: string) =>
    looksSecret(name) ? `\${${name}}` : whole,
  );
}

/** Whether a part of it would be masked. */
export const holdsSecret = (text: string): boolean => hideText(text) !== text;

function soundsSecret(name: string): boolean {
  return !HARMLESS.test(name) && looksSecret(name.replaceAll('-', '_'));
}

/** What comes from elsewhere is no secret itself; how it is shown may stay. */
function hidden(value: string): string {
  const [, scheme = '', rest = value] = /^((?:bearer|basic|token) +)(.+)$/is.exec(value) ?? [];
  return scheme + (VARIABLE.test(rest) ? rest.replace(/:-.*\}$/s, '}') : MASK);
}
