/** A config repo that can be written to. */
import type { Source } from '../../reconciler/index.ts';
import type { Draft } from './draft.ts';

export interface ConfigRepo extends AsyncDisposable {
  readonly source: Source;
  /** Where a pull request is opened: absent where none is wanted. */
  readonly request?: { readonly remote: string; readonly branch: string; readonly into: string };
  /** What the draft builds on, where there is a git to ask about it. */
  readonly history?: History;
  /**
   * Writes what a draft of this source changes. A commit has all of it or is not made; in a folder, each file has its old
   * content or its new one, and what can be foreseen to fail fails before the first is touched.
   * @returns what to tell: `committed 1a2b3c4d to main`
   * @throws SlipwayError conflict when what the draft was made from has changed meanwhile
   */
  write(draft: Draft, message: string): Promise<string>;
}

export interface History {
  readonly repository: string;
  /** A commit as git names it; absent where the draft's revision is one. */
  readonly tip?: string;
  /** Folder of the repo that holds the config; `''` for all of it. */
  readonly path: string;
}
