/** Values of variables and headers: those that are secret, or come from elsewhere, become references. */
import { looksSecret } from '../../schemas/sensitive.ts';
import { looksSecretHeader } from '../../schemas/kinds/fields/auth.ts';
import { variableName, type Drafts, type SecretRef } from './draft.ts';
import { holdsSecret, secretShaped } from './hide.ts';

export type Value = { readonly value: string } | { readonly valueFrom: SecretRef };

/** `${VAR}`, `${env:VAR}`, `${VAR:-default}`, `$VAR`. */
const VARIABLE = /^\$(?:\{(?:env:)?([A-Za-z_]\w*)(:-[^}]*)?\}|([A-Za-z_]\w*))$/;
/** What a Visual Studio Code asks its user for. */
const INPUT = /^\$\{input:([^}]+)\}$/;
/** lazy-mcp's `{file:/path}`. */
const FILE = /^\{file:((?:\/|~\/)[^}]+)\}$/;
const ANY_REFERENCE = /\$\{[^}]+\}|\{file:[^}]+\}/;

export interface Named {
  readonly drafts: Drafts;
  /** Of the resource that needs the value; its Secret is called the same. */
  readonly owner: string;
}

/** @param name of the variable or header @param raw as somebody wrote it @param isSecret whatever it looks like */
export function valueOf({ drafts, owner }: Named, name: string, raw: unknown, isSecret = looksSecret(name)): Value {
  const text = String(raw ?? '');
  const about = `Server/${owner}`;
  const fromEnv = (variable: string): Value => ({ valueFrom: drafts.secret(owner, name, { env: variable }) });
  const variable = VARIABLE.exec(text);
  if (variable) {
    if (variable[2] !== undefined) drafts.lose(about, `${name}: the default of $${variable[1]} was left out`);
    return fromEnv(drafts.known(about, variable[1] ?? variable[3] ?? name));
  }
  const input = INPUT.exec(text)?.[1];
  if (input !== undefined) {
    const asked = drafts.known(about, variableName(input));
    drafts.note(about, `${name}: the editor asked for “${input}”; give it to Slipway as $${asked}`);
    return fromEnv(asked);
  }
  const file = FILE.exec(text)?.[1];
  if (file !== undefined) return { valueFrom: drafts.secret(owner, name, { file }) };
  if (ANY_REFERENCE.test(text)) {
    const whole = drafts.variable(owner, name, text);
    drafts.note(about, `${name} was put together from other values; give Slipway the whole of it as $${whole}`);
    return fromEnv(whole);
  }
  if (isSecret || secretShaped(text) || holdsSecret(text)) {
    const own = drafts.variable(owner, name, text);
    drafts.note(about, `${name}: the value looks secret and was left out; give it to Slipway as $${own}`);
    return fromEnv(own);
  }
  return { value: text };
}

/** How a remote server is shown that it may be used. */
export function authOf(named: Named, headers: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const entries = Object.entries(headers);
  const [only] = entries;
  if (!only) return undefined;
  const bearer = /^bearer +(.+)$/i.exec(String(only[1]))?.[1];
  if (entries.length === 1 && only[0].toLowerCase() === 'authorization' && bearer !== undefined) {
    const value = valueOf(named, 'token', bearer);
    return 'valueFrom' in value ? { bearer: value.valueFrom } : undefined;
  }
  return { headers: entries.map(([name, raw]) => ({ name, ...valueOf(named, name, raw, looksSecretHeader(name)) })) };
}
