/** Prompts that are resources of servers: read when they are wanted, as who wants them, and how that went. */
import { toSlipwayError, type SlipwayError } from '../../schemas/errors.ts';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import { MAX_PROMPT } from '../../schemas/kinds/prompt.ts';
import type { LinkState } from '../../schemas/status.ts';
import type { Call } from '../era/era.ts';
import { InnerCall } from '../methods/inner-call.ts';
import { relay } from '../methods/relay.ts';
import { brief } from '../own/own-tool.ts';
import type { RouteView } from '../route-view.ts';
import { lineOf } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';
import { openTo, type Link } from './link-access.ts';
import type { Prompt } from './prompts.ts';

/** Longest that anybody waits for a link (ms). */
const PATIENCE = 10_000;

/** A text, or why there is none. */
export type Text =
  | {
      readonly text: string;
      /** What is to be told of the reader's budgets. */
      readonly budgets?: unknown;
    }
  | {
      readonly problem: string;
      /** What its reader may not do just now, which says nothing about the link. */
      readonly refusal?: SlipwayError;
    };

export class Links {
  readonly #states = new Map<string, LinkState>();

  /** By the name of the Prompt. */
  get states(): ReadonlyMap<string, LinkState> {
    return this.#states;
  }

  /** What a Prompt says. Never throws. */
  async read(call: Call, { name, entry: { content, link } }: Prompt): Promise<Text> {
    if (content !== undefined) return { text: content };
    if (!link) return { problem: 'it has no text' };
    const found = openTo(call.caller, link);
    // That one caller may not use the server says nothing about the link.
    if (!found) return { problem: 'its server is not open to you' };
    const read = await within(PATIENCE, readThrough(call, link, ...found));
    if ('refusal' in read) return read;
    const problem = 'problem' in read ? { error: read.problem } : {};
    this.#states.delete(name);
    this.#states.set(name, { at: Date.now(), ...problem });
    return read;
  }

  /** Forgets those of Prompts that are no more. */
  keep(prompts: Readonly<Record<string, unknown>> = {}): void {
    for (const name of this.#states.keys()) if (!Object.hasOwn(prompts, name)) this.#states.delete(name);
  }
}

async function readThrough(outer: Call, { uri }: Link, route: RouteView, server: Server): Promise<Text> {
  const call = new InnerCall(outer, route, { method: 'resources/read', params: { uri } });
  try {
    const result = JSON.parse(lineOf(await relay(call, server, { uri }))) as {
      contents?: unknown;
      _meta?: Record<string, unknown>;
    };
    const { 'slipway/budgets': budgets } = result._meta ?? {};
    const parts = Array.isArray(result.contents) ? (result.contents as ({ text?: unknown } | null)[]) : [];
    const texts = parts.flatMap((part) => (typeof part?.text === 'string' ? [part.text] : []));
    if (texts.length === 0) return { problem: 'the resource is no text' };
    const text = texts.join('\n\n');
    if (text.length > MAX_PROMPT) return { problem: `the resource is over ${MAX_PROMPT} characters` };
    return { text, ...(budgets === undefined ? {} : { budgets }) };
  } catch (error) {
    call.trace.failed(error);
    if (error instanceof RpcFailure) return { problem: brief(error.error.message, 300) };
    const refusal = toSlipwayError(error);
    const problem = brief(refusal.message, 300);
    return refusal.row.http === 429 ? { problem, refusal } : { problem };
  } finally {
    call.finish();
  }
}

function within(ms: number, reading: Promise<Text>): Promise<Text> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, { problem: 'it was not read in time' });
    void reading.then(resolve).finally(() => clearTimeout(timer));
  });
}
