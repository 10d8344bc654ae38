/** Hooks on what a client is shown: instructions and lists. They change what is seen, never what may be used: rights are the config's. */
import { initializeAnswer, listAnswer, readAnswer } from '../../schemas/plugin-answers.ts';
import type { Hook } from '../../schemas/plugins.ts';
import type { Call } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import { lineOf, type Json } from '../rpc/json.ts';
import type { Item } from '../upstream/listing.ts';
import { LISTS, type ListName } from '../upstream/lists.ts';
import type { RoutePlugin } from './route-plugin.ts';
import { whomOf } from './whom.ts';

const OF_LIST: Readonly<Partial<Record<ListName, Hook>>> = {
  tools: 'onToolsList',
  resources: 'onResourcesList',
  prompts: 'onPromptsList',
};

/**
 * What a client is told that has just come.
 * @param session the one that it begins, if it keeps any @param text as it is without the plugin, maybe empty
 */
export async function instructionsBy(
  plugin: RoutePlugin,
  caller: Caller,
  session: string | undefined,
  text: string,
): Promise<string> {
  const whom = whomOf(caller, session);
  const { plugins } = caller.state;
  if (!plugin.has('onInitialize')) {
    plugins.begin(whom, plugin);
    return text;
  }
  const ran = await plugins.run(whom, plugin, {
    hook: 'onInitialize',
    input: { instructions: text },
    read: (answer) => readAnswer(initializeAnswer, answer).instructions,
  });
  return 'failed' in ran ? text : (ran.value ?? text);
}

/** A list as the plugin wants it shown: some of its entries, in any order, under other titles and descriptions. */
export function listedBy(
  plugin: RoutePlugin,
  call: Call,
  list: ListName,
  json: Json | Promise<Json>,
): Json | Promise<Json> {
  const hook = OF_LIST[list];
  return hook && plugin.has(hook) ? changed(plugin, call, list, hook, json) : json;
}

async function changed(
  plugin: RoutePlugin,
  call: Call,
  list: ListName,
  hook: Hook,
  whole: Json | Promise<Json>,
): Promise<Json> {
  const { field, key } = LISTS[list];
  const json = await whole;
  const result = JSON.parse(lineOf(json)) as Record<string, unknown>;
  const items = result[field] as readonly Item[];
  const ran = await call.caller.state.plugins.run(whomOf(call.caller), plugin, {
    hook,
    input: { [field]: items },
    read: (answer) => chosen(items, key, readAnswer(listAnswer(field, key), answer)[field] ?? []),
  });
  if ('failed' in ran || ran.value === undefined) return json;
  // What code makes of it may be something else the next moment.
  return JSON.stringify({ ...result, [field]: ran.value, ...('ttlMs' in result ? { ttlMs: 0 } : {}) });
}

type Shown = Readonly<Record<string, unknown>>;

/** Tool poisoning: nothing is listed that is not there, nor twice, nor with another schema. */
function chosen(items: readonly Item[], key: string, answer: readonly Shown[]): Item[] {
  const left = new Map(items.map((item) => [item[key], item]));
  return answer.map((shown) => {
    const item = left.get(shown[key]);
    if (!item) throw new Error(`${String(shown[key]).slice(0, 100)} is not in the list, or is there twice`);
    left.delete(shown[key]);
    const words = (['title', 'description'] as const).filter((word) => shown[word] !== undefined);
    return { ...item, ...Object.fromEntries(words.map((word) => [word, shown[word]])) };
  });
}
