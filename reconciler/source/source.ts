/** Where the desired state comes from. `test/contract/source.ts` holds what every source promises. */

/** A state of the source, addressed by content: reading it twice gives the same bytes. */
export interface Revision {
  readonly id: string;
  readonly author?: string;
  readonly subject?: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface SourceFile {
  /** Relative to the config path, with `/`. */
  readonly path: string;
  /** Hash of the content. */
  readonly id: string;
  readonly bytes: number;
  /** `opaque`: a place whose files cannot be seen, a submodule or an empty folder; its path ends with `/`. */
  readonly type: 'file' | 'executable' | 'symlink' | 'opaque';
}

export interface Source extends AsyncDisposable {
  /** For people: a URL without credentials, or a path. */
  readonly description: string;
  /** For which environment its config is read; absent: for none. */
  readonly environment?: string;
  /** Where audit records are pushed to; absent where the source is no git repo. */
  readonly remote?: string;
  /** The bare repository that has what was fetched, and the config path in it; absent for a source without commits. */
  readonly repository?: Repository;
  /** The branch, tag or commit that is followed; absent: the remote's HEAD, or no git at all. */
  readonly ref?: string;
  /** The id of what is wanted now, found as cheaply as the source can. @throws SlipwayError source-unreachable, ref-not-found */
  probe(signal: AbortSignal): Promise<string>;
  /** Brings the wanted revision here. @throws SlipwayError source-unreachable, ref-not-found */
  fetch(signal: AbortSignal): Promise<Revision>;
  /** Every file below the config path, dot-folders left out. @throws SlipwayError path-not-found */
  files(revision: string, signal: AbortSignal): Promise<SourceFile[]>;
  /** The contents of files of a revision that was fetched, in the order asked for. */
  read(revision: string, files: readonly SourceFile[], signal: AbortSignal): Promise<Buffer[]>;
  /** The commit that lines of a file come from; `last` is absent for all to the end. A source without history leaves it out. */
  lastChange?(
    revision: string,
    file: string,
    lines: { readonly first: number; readonly last?: number },
    signal: AbortSignal,
  ): Promise<Revision | undefined>;
  /** What merging a request into what is followed would make. A source that knows no requests leaves it out. */
  merged?(request: RequestRefs, signal: AbortSignal): Promise<Merged>;
  /** Calls back when something may have changed. A source that cannot tell leaves it out and is polled. */
  watch?(listener: () => void): Disposable;
}

export interface Repository {
  readonly dir: string;
  /** Folder of the repo that holds the config; `''` for all of it. */
  readonly path: string;
  /** Where else git finds objects: while a push is judged, they are in quarantine. */
  readonly env?: Readonly<Record<string, string>>;
  /** A name for what is followed: repo, ref and path. Absent where nothing is. */
  readonly follows?: string;
}

export interface RequestRefs {
  /** The ref of the remote that the request's head can be fetched from. */
  readonly head: string;
  /** Of the result. Absent: that of the head. */
  readonly message?: string;
}

/** Ids of what was merged, and the result, or the paths that conflict. */
export type Merged = { readonly base: string; readonly head: string } & (
  | {
      readonly source: Source;
      /** Pushes the result, as it is, to the branch that is followed. @throws SlipwayError conflict */
      land(signal: AbortSignal): Promise<void>;
      readonly conflicts?: never;
    }
  | { readonly conflicts: readonly string[]; readonly source?: never }
);

/** Dot-folders hold tools' own files (`.git`, `.github`) and `node_modules` other people's: neither is config. */
export function isVisible(path: string): boolean {
  return !path.split('/').some((part) => part.startsWith('.') || part === 'node_modules');
}
