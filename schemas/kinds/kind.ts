/** What a kind is, as far as writing it goes. What it turns into is `reconciler/kinds`. */
import type { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { Resource } from '../resource.ts';
import type { Value } from './fields/placeholders.ts';

/** A field that names another resource. `path` starts below `spec`. */
export interface Reference {
  readonly path: readonly (string | number)[];
  readonly kind: string;
  readonly name: string;
  /** Keys that the target must have, e.g. in a Secret's data. */
  readonly keys?: readonly string[];
  /** True where following such references in a circle would wait for ever. */
  readonly acyclic?: boolean;
}

/** A field that names a file of the config repo, relative to the config path. */
export interface FileReference {
  readonly path: readonly (string | number)[];
  readonly file: string;
  /** How to read it, where what it says is part of the resource: `Resource.files`. */
  readonly content?: 'sops' | 'text' | 'prompt' | 'module';
}

/** Something wrong with resources that are each fine on their own. `path` starts below `spec`. */
export interface Problem {
  readonly resource: Resource;
  readonly path: readonly (string | number)[];
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/** All resources of a kind. */
export type All = (kind: string) => readonly Resource[];

export interface Kind<Name extends string = string, Schema extends z.ZodType = z.ZodType> {
  readonly kind: Name;
  readonly plural: string;
  readonly short: readonly string[];
  readonly description: string;
  readonly spec: Schema;
  /** True if a config may hold only one. */
  readonly singleton?: boolean;
  /** True for what other resources are made of: it is used before any Overlay, so that none can change it. */
  readonly isBlueprint?: boolean;
  /** Names of resources that exist without being written. */
  readonly builtIn?: readonly string[];
  /** Names that cannot be used, each with the reason. */
  readonly reserved?: Readonly<Record<string, string>>;
  /** A whole YAML document that is valid. */
  readonly example: string;
  references(spec: z.output<Schema>): Reference[];
  /** What it reaches without naming it: by labels, or because it is named by it. @param own its name */
  selects?(spec: z.output<Schema>, all: All, own: string): readonly Pick<Reference, 'kind' | 'name'>[];
  /** What nobody sees who reads its fields alone, in sentences. @param selected addresses of what it selects */
  notes?(spec: z.output<Schema>, selected: readonly string[]): readonly string[];
  /** What is wrong with resources of this kind beside one another. They come in the order of their places. */
  together?(resources: readonly Resource<z.output<Schema>>[], all: All): Problem[];
  /**
   * Resources of this kind may stand in a floor. What is wrong with those of a config beside those of the floor, which it
   * must not loosen.
   */
  floor?(own: readonly Resource<z.output<Schema>>[], floor: readonly Resource<z.output<Schema>>[], all: All): Problem[];
  /** Fields of `spec` that have a meaning in a floor; absent where all have. */
  readonly floorFields?: readonly string[];
  /** The keys that references with `keys` may name. */
  keys?(spec: z.output<Schema>, files?: Resource['files']): readonly string[];
  /** The Template that the resource is made of, if it is. */
  templateOf?(
    spec: z.output<Schema>,
  ): { readonly name: string; readonly params: Readonly<Record<string, Value>> } | undefined;
  /** Files of the config repo that the resource needs; checked to exist. */
  files?(spec: z.output<Schema>): readonly FileReference[];
  /** Paths below `spec` whose lines are remembered, because a decision that rests on them says where it is written. */
  cited?(spec: z.output<Schema>): readonly (readonly (string | number)[])[];
  /** Paths below `spec` whose values must never be shown; list items by name: `['env', 'API_KEY', 'value']`. */
  sensitive?(path: readonly (string | number)[]): boolean;
}

/** Keeps the literal types of a kind's name and schema. */
export function defineKind<Name extends string, Schema extends z.ZodType>(
  kind: Kind<Name, Schema>,
): Kind<Name, Schema> {
  return kind;
}
