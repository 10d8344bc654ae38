/** What an import of mcpctl's has made so far, by the names that mcpctl gave it. */
import type { Model } from './models.ts';
import type { Draft, Drafts } from '../draft.ts';

/** Kinds of items that others name. */
type Kind = 'Server' | 'Project' | 'User' | 'Group' | 'Prompt' | 'Pipeline';

export class Known {
  readonly drafts: Drafts;
  /** What projects get by naming a proxy model; `undefined` for one that could not be carried over. */
  readonly models = new Map<string, Model | undefined>();
  readonly #made = new Map<string, Draft>();

  constructor(drafts: Drafts) {
    this.drafts = drafts;
  }

  add(kind: Kind, wanted: string, spec: Record<string, unknown>): Draft {
    const draft = this.drafts.add(kind, wanted, spec);
    this.call(wanted, draft);
    return draft;
  }

  /** What else it is called: a user by e-mail, say. */
  call(name: string, draft: Draft): void {
    this.#made.set(`${draft.kind} ${name}`, draft);
  }

  /** What it is called here; `undefined` where the file has none. */
  nameOf(kind: string, wanted: unknown): string | undefined {
    return this.find(kind, wanted)?.metadata.name;
  }

  find(kind: string, wanted: unknown): Draft | undefined {
    return this.#made.get(`${kind} ${String(wanted)}`);
  }

  /** Tells which fields of an item mean nothing here. */
  loseOthers(about: string, item: Record<string, unknown>, understood: readonly string[]): void {
    for (const field of Object.keys(item))
      if (!understood.includes(field)) this.drafts.lose(about, `${field} was left out: it means nothing here`);
  }
}
