/** What an import has made so far: resources, and remarks on what a person must know or do. */
import { stringify } from 'yaml';
import { kindOf } from '../../schemas/kinds/index.ts';
import { parseFile } from '../../schemas/parse.ts';
import { addressOf, API_VERSION } from '../../schemas/resource.ts';

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

  /** It is called what was wanted, if that is a name and free. */
  add(kind: string, wanted: string, spec: Record<string, unknown>, labels?: Readonly<Record<string, string>>): Draft {
    const name = this.#free(kind, slug(wanted));
    if (name !== wanted) this.note(`${kind}/${name}`, `was called ${wanted}`);
    const draft = { kind, metadata: { name, ...(labels ? { labels } : {}) }, spec };
    this.resources.push(draft);
    return draft;
  }

  /** Where the value of a secret is to come from, in the Secret of that name. */
  secret(name: string, key: string, from: { readonly env: string } | { readonly file: string }): SecretRef {
    let secret = this.#find('Secret', slug(name));
    if (!secret) {
      secret = { kind: 'Secret', metadata: { name: slug(name) }, spec: { data: {} } };
      this.resources.push(secret);
    }
    (secret.spec['data'] as Record<string, unknown>)[key] = from;
    return { secretRef: { name: secret.metadata.name, key } };
  }

  note(about: string, text: string): void {
    this.remarks.push({ about, text, lost: false });
  }

  lose(about: string, text: string): void {
    this.remarks.push({ about, text, lost: true });
  }

  /** The config as it would be pushed, one document a resource. What Slipway would refuse is left out, and told. */
  documents(): string[] {
    const good = this.resources.flatMap((draft) => {
      const { resources, issues } = parseFile('import.yaml', Buffer.from(yamlOf(draft)));
      for (const issue of issues)
        this.lose(`${draft.kind}/${draft.metadata.name}`, `was left out: ${issue.path || 'it'}: ${issue.message}`);
      return resources.map(({ spec }) => ({ draft, spec }));
    });
    const there = new Set(good.map(({ draft }) => addressOf(draft)));
    for (const { draft, spec } of good) unlist(draft, spec, there);
    return good.map(({ draft }) => yamlOf(draft));
  }

  #find(kind: string, name: string): Draft | undefined {
    return this.resources.find((made) => made.kind === kind && made.metadata.name === name);
  }

  #free(kind: string, name: string): string {
    for (let count = 1; ; count++) {
      const candidate = count === 1 ? name : `${name.slice(0, 59)}-${count}`;
      if (!this.#find(kind, candidate)) return candidate;
    }
  }
}

/** A list goes without what was left out. */
function unlist(draft: Draft, spec: unknown, there: ReadonlySet<string>): void {
  for (const { path, kind, name } of kindOf(draft.kind)?.references(spec) ?? []) {
    const [field] = path;
    const list = typeof field === 'string' ? draft.spec[field] : undefined;
    const exists = there.has(`${kind}/${name}`) || kindOf(kind)?.builtIn?.includes(name);
    if (Array.isArray(list) && !exists) draft.spec[field as string] = list.filter((entry) => entry !== name);
  }
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

/** What somebody wrote, as an object; an empty one for anything else. */
export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
