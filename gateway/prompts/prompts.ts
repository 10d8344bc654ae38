/** The config's Prompts on one route: the gateway's own, beside those of servers. */
import { isOwnText, OWN_TEXTS, type OwnText } from '../../schemas/kinds/fields/own-texts.ts';
import type { PipelineEntry } from '../../schemas/pipelines.ts';
import { redactValue } from '../../schemas/secret-shapes.ts';
import type { PromptEntry, Route, Snapshot } from '../../schemas/snapshot.ts';
import type { Item } from '../upstream/listing.ts';
import { chaptersOf, summaryOf } from './digest.ts';

export interface Prompt {
  readonly name: string;
  readonly entry: PromptEntry;
  /** Only its own session has it: nobody has said yes yet. */
  readonly isProposed?: true;
}

const ALL = '/mcp';

export class Prompts {
  /** The highest priority first, then by name. */
  readonly all: readonly Prompt[];
  /** As `prompts/list` gives them. */
  readonly items: readonly Item[];
  readonly #byName: ReadonlyMap<string, Prompt>;

  private constructor(all: readonly Prompt[]) {
    this.all = all.toSorted((a, b) => b.entry.priority - a.entry.priority || (a.name < b.name ? -1 : 1));
    this.#byName = new Map(this.all.map((prompt) => [prompt.name, prompt]));
    this.items = this.all.map((prompt) => ({ name: prompt.name, description: summaryOf(prompt) }));
  }

  /** @returns `undefined` for a route without any: nothing is looked up there */
  static of(path: string, { project }: Route, { prompts = {} }: Pick<Snapshot, 'prompts'>): Prompts | undefined {
    const own = Object.entries(prompts).flatMap(([name, entry]): Prompt[] =>
      !isOwnText(name) && isFor(entry, path, project) ? [{ name, entry }] : [],
    );
    return own.length === 0 ? undefined : new Prompts(own);
  }

  /**
   * As they are told of where a pipeline takes secrets out of them. Data leak: the first words and headings of a text, or what a model
   * made of it, would get past that; so they are taken from what is left of it. Where it has patterns of its own, which take a thread,
   * only the author's words are told.
   */
  behind(pipeline: Pick<PipelineEntry, 'stages'> | undefined): Prompts {
    const guards = pipeline?.stages.filter((stage) => stage.type === 'redact') ?? [];
    if (guards.length === 0) return this;
    const isOthers = guards.some(({ patterns }) => patterns.length > 0);
    const told = ({ name, entry }: Prompt): Prompt => {
      if (entry.content === undefined) return { name, entry };
      const content = isOthers ? '' : (redactValue(entry.content).value as string);
      const left = { name, entry: { ...entry, content } };
      return { name, entry: { ...entry, summary: summaryOf(left), chapters: [...chaptersOf(left)] } };
    };
    return new Prompts(this.all.map(told));
  }

  get(name: string): Prompt | undefined {
    return this.#byName.get(name);
  }

  /** Equal where the same is listed. */
  get fingerprint(): string {
    return JSON.stringify(this.items);
  }
}

/** What a caller proposed, as it would be if somebody had said yes; what the config has of the same name goes before. */
export function proposedBy(proposed: ReadonlyMap<string, PromptEntry>, own: Prompts | undefined): Prompt[] {
  return [...proposed].flatMap(([name, entry]) => (own?.get(name) ? [] : [{ name, entry, isProposed: true as const }]));
}

/** What is said on a route in the config's own words. */
export type OwnWords = Readonly<Partial<Record<OwnText, string>>>;

export function ownWords(path: string, { project }: Route, { prompts = {} }: Pick<Snapshot, 'prompts'>): OwnWords {
  return Object.fromEntries(
    Object.keys(OWN_TEXTS).flatMap((name) => {
      const entry = prompts[name];
      return entry?.content !== undefined && isFor(entry, path, project) ? [[name, entry.content]] : [];
    }),
  );
}

/** Whether a route has it. A route of one server is that server alone. */
export function isFor({ projects }: PromptEntry, path: string, project: string | undefined): boolean {
  if (project === undefined) return path === ALL && projects === undefined;
  return projects?.includes(project) ?? true;
}
