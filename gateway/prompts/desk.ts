/** What a gateway keeps of Prompts and gates, whatever snapshot is in force. */
import type { Texts } from '../cache/texts.ts';
import { Passed } from '../gate/passed.ts';
import type { Llm } from '../llm/llm.ts';
import { Digests } from './digests.ts';
import { Links } from './links.ts';

export class PromptDesk implements Disposable {
  /** Who has passed a gate. */
  readonly passed = new Passed();
  /** How Prompts that are resources of servers could be read. */
  readonly links = new Links();
  /** What Prompts are about. */
  readonly digests: Digests;

  constructor(llm: Llm, texts: Texts) {
    this.digests = new Digests(llm, texts);
  }

  [Symbol.dispose](): void {
    this.digests[Symbol.dispose]();
  }
}
