/** A config repo that can be written to. */
import type { Source } from '../../reconciler/index.ts';
import type { Draft } from './draft.ts';

export interface ConfigRepo extends AsyncDisposable {
  readonly source: Source;
  /**
   * Writes what a draft of this source changes. A commit has all of it or is not made; in a folder, each file has its old
   * content or its new one, and what can be foreseen to fail fails before the first is touched.
   * @returns what to tell: `committed 1a2b3c4d to main`
   * @throws SlipwayError conflict when what the draft was made from has changed meanwhile
   */
  write(draft: Draft, message: string): Promise<string>;
}
