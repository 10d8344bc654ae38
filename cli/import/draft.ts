/** What an import has made so far: resources, and remarks on what a person must know or do. */
import { stringify } from 'yaml';
import { envName } from '../../schemas/kinds/fields.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import { parseFile } from '../../schemas/parse.ts';
import { addressOf, API_VERSION } from '../../schemas/resource.ts';
import { hideArguments, hideText } from './hide.ts';

export interface Draft {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  spec: Record<string, unknown>;
}

export interface Remark {
  /** `Server/github`, or what it was called. */
  readonly about: string;
  readonly text: string;
  /** Whether something is missing now, rather than only different. */
  readonly lost: boolean;
}

export interface SecretRef {
  readonly secretRef: { readonly name: string; readonly key: string };
}

export class Drafts {
  readonly resources: Draft[] = [];
  readonly remarks: Remark[] = [];
  /** What each variable that a value was left out for is to hold. */
  readonly #variables = new Map<string, string>();

  /** It is called what was wanted, if that is a name and free. */
  add(kind: string, wanted: string, spec: Record<string, unknown>, labels?: Readonly<Record<string, string>>): Draft {
    const name = this.#free(kind, slug(wanted));
    if (name !== wanted) this.note(`${kind}/${name}`, `was called ${wanted}`);
    const draft = { kind, metadata: { name, ...(labels ? { labels } : {}) }, spec };
    this.resources.push(draft);
    return draft;
  }

  /** Where the value of a secret is to come from, in the Secret of that name; under another key if that one is taken. */
  secret(name: string, wanted: string, from: { readonly env: string } | { readonly file: string }): SecretRef {
    let secret = this.#find('Secret', slug(name));
    if (!secret) {
      secret = { kind: 'Secret', metadata: { name: slug(name) }, spec: { data: {} } };
      this.resources.push(secret);
    }
    const data = secret.spec['data'] as Record<string, unknown>;
    const isFree = (key: string): boolean => !(key in data) || JSON.stringify(data[key]) === JSON.stringify(from);
    let key = wanted;
    for (let count = 2; !isFree(key); count++) key = `${wanted}_${count}`;
    data[key] = from;
    return { secretRef: { name: secret.metadata.name, key } };
  }

  /** The variable that Slipway is to be given a value in: two different values cannot come from one. */
  variable(owner: string, name: string, value: string): string {
    const wanted = [name, `${owner}_${name}`].map(variableName);
    for (let count = 2; ; count++) {
      const candidate = wanted.shift() ?? variableName(`${owner}_${name}_${count}`);
      const taken = this.#variables.get(candidate);
      if (taken !== undefined && taken !== value) continue;
      this.#variables.set(candidate, value);
      return candidate;
    }
  }

  /** A variable that is set already: what it holds is not ours to say. */
  known(about: string, variable: string): string {
    const taken = this.#variables.get(variable);
    const own = `\${${variable}}`;
    if (taken !== undefined && taken !== own)
      this.lose(about, `$${variable} is another value elsewhere: rename one of them`);
    else this.#variables.set(variable, own);
    return variable;
  }

  note(about: string, text: string): void {
    this.remarks.push({ about, text, lost: false });
  }

  lose(about: string, text: string): void {
    this.remarks.push({ about, text, lost: true });
  }

  /** The config as it would be pushed, one document a resource. What Slipway would refuse is left out, and told. */
  documents(): string[] {
    for (const draft of this.resources) this.#hide(draft);
    let good = this.resources.flatMap((draft) => {
      const { resources, issues } = parseFile('import.yaml', Buffer.from(yamlOf(draft)));
      for (const issue of issues)
        this.lose(`${draft.kind}/${draft.metadata.name}`, `was left out: ${issue.path || 'it'}: ${issue.message}`);
      return resources.map(({ spec }) => ({ draft, spec }));
    });
    for (let before = -1; before !== good.length;) {
      before = good.length;
      const there = new Set(good.map(({ draft }) => addressOf(draft)));
      good = good.filter(({ draft, spec }) => this.#stands(draft, spec, there));
    }
    return good.map(({ draft }) => yamlOf(draft));
  }

  /** What is started with, and where it is, stands in the repo for all to read. */
  #hide({ kind, metadata, spec }: Draft): void {
    const hide = (holder: Record<string, unknown>, field: string): void => {
      const before = holder[field];
      const after = Array.isArray(before)
        ? hideArguments(textsOf(before))
        : typeof before === 'string'
          ? hideText(before)
          : before;
      if (JSON.stringify(after) === JSON.stringify(before)) return;
      holder[field] = after;
      this.lose(
        `${kind}/${metadata.name}`,
        `${field}: what looks secret is ***; the config holds no secrets, so give it by env or auth`,
      );
    };
    // A Template says of each use what a Server says of itself.
    for (const runs of [spec, objectOf(spec['server'])]) {
      for (const field of ['command', 'args', 'entrypoint', 'url']) hide(runs, field);
      hide(objectOf(runs['package']), 'args');
    }
  }

  /** Without what was left out: its lists go without, and what cannot is left out as well. What was never here may be in the repo. */
  #stands(draft: Draft, spec: unknown, there: ReadonlySet<string>): boolean {
    for (const { path, kind, name } of kindOf(draft.kind)?.references(spec) ?? []) {
      if (there.has(`${kind}/${name}`) || kindOf(kind)?.builtIn?.includes(name)) continue;
      const [field] = path;
      const list = typeof field === 'string' ? draft.spec[field] : undefined;
      const left = Array.isArray(list) && list.includes(name) ? list.filter((entry) => entry !== name) : undefined;
      // A list that says for whom something is says something else when it is empty: for all.
      if (left && (left.length > 0 || field === 'servers')) draft.spec[field as string] = left;
      else if (this.#find(kind, name)) {
        this.lose(`${draft.kind}/${draft.metadata.name}`, `was left out, because ${kind}/${name} was`);
        return false;
      }
    }
    return true;
  }

  #find(kind: string, name: string): Draft | undefined {
    return this.resources.find((made) => made.kind === kind && made.metadata.name === name);
  }

  #free(kind: string, name: string): string {
    for (let count = 1; ; count++) {
      const candidate = count === 1 ? name : `${name.slice(0, 59)}-${count}`;
      if (!this.#find(kind, candidate) && !isTaken(kind, candidate)) return candidate;
    }
  }
}

/** By what is built in, or means something else. */
function isTaken(kind: string, name: string): boolean {
  const { builtIn = [], reserved = {} } = kindOf(kind) ?? {};
  return builtIn.includes(name) || Object.hasOwn(reserved, name);
}

function yamlOf({ kind, metadata, spec }: Draft): string {
  return stringify({ apiVersion: API_VERSION, kind, metadata, spec }, { lineWidth: 120, aliasDuplicateObjects: false });
}

/** As a DNS label (RFC 1123): `My_Server` → `my-server`. */
export function slug(text: string): string {
  const name = text
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return name || 'imported';
}

export function variableName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase();
  return envName.safeParse(name).success ? name : `_${name}`;
}

/** What somebody wrote, as an object; an empty one for anything else. */
export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
