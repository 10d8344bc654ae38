/** A config repo that can be written to. */
import type { Source } from '../../reconciler/index.ts';
import type { Draft } from './draft.ts';

export interface ConfigRepo extends AsyncDisposable {
  readonly source: Source;
  /**
   * Writes what a draft of this source changes: all of it or nothing.
   * @returns what to tell: `committed 1a2b3c4d to main`
   * @throws SlipwayError conflict when what the draft was made from has changed meanwhile
   */
  write(draft: Draft, message: string): Promise<string>;
}
