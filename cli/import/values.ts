/** Values of variables and headers: those that are secret, or come from elsewhere, become references. */
import { envName } from '../../schemas/kinds/fields.ts';
import { looksSecret } from '../../schemas/sensitive.ts';
import type { Drafts, SecretRef } from './draft.ts';

export type Value = { readonly value: string } | { readonly valueFrom: SecretRef };

/** Token shapes that are secret whatever they are called: long and mixed, or with a prefix that issuers give. */
const SECRET_SHAPE =
  /^(gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|pk_live_|sk_live_|AKIA|AIza|ya29\.|npm_|pypi-|slw_|eyJ[\w-]+\.[\w-]+\.|-----BEGIN )/;
const MIXED = /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w+/=.-]{32,}$/;

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

/** @param name of the variable or header @param raw as somebody wrote it */
export function valueOf({ drafts, owner }: Named, name: string, raw: unknown): Value {
  const text = String(raw ?? '');
  const about = `Server/${owner}`;
  const fromEnv = (variable: string): Value => ({ valueFrom: drafts.secret(owner, name, { env: variable }) });
  const variable = VARIABLE.exec(text);
  if (variable) {
    if (variable[2] !== undefined) drafts.lose(about, `${name}: the default in ${text} was left out`);
    return fromEnv(variable[1] ?? variable[3] ?? name);
  }
  const input = INPUT.exec(text)?.[1];
  if (input !== undefined) {
    const asked = variableName(input);
    drafts.note(about, `${name}: the editor asked for “${input}”; give it to Slipway as $${asked}`);
    return fromEnv(asked);
  }
  const file = FILE.exec(text)?.[1];
  if (file !== undefined) return { valueFrom: drafts.secret(owner, name, { file }) };
  if (ANY_REFERENCE.test(text)) {
    drafts.note(
      about,
      `${name} was put together from other values; give Slipway the whole of it as $${variableName(name)}`,
    );
    return fromEnv(variableName(name));
  }
  if (looksSecret(name) || SECRET_SHAPE.test(text) || MIXED.test(text)) {
    drafts.note(
      about,
      `${name}: the value looks secret and was left out; give it to Slipway as $${variableName(name)}`,
    );
    return fromEnv(variableName(name));
  }
  return { value: text };
}

export function variableName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase();
  return envName.safeParse(name).success ? name : `_${name}`;
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
  return { headers: entries.map(([name, raw]) => ({ name, ...valueOf(named, name, raw) })) };
}
