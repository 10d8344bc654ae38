/** The console as a whole: a model, what tells it, and the terminal that shows it. */
import { render } from 'ink';
import { createElement } from 'react';
import { toSlipwayError } from '../../schemas/errors.ts';
import type { Target } from '../target.ts';
import { follow, olderCalls } from './feeds.ts';
import { beginning, learn, press, type Feed, type Model, type News, type Wish } from './model.ts';
import { rowsOf } from './rows.ts';
import { Console, type Store } from './view.ts';

export interface ConsoleOptions {
  readonly target: Target;
  /** Begins with the audit log. */
  readonly audit: boolean;
  readonly colour: boolean;
  /** What would change now, in lines. */
  readonly plan: () => Promise<readonly string[]>;
  /** Aborted when somebody leaves; whoever else has had enough may abort it as well. The target must know its signal. */
  readonly over: AbortController;
}

/** News of calls that are kept while they are held still. */
const MOST_HELD = 1000;

/** Until it is over. */
export async function showConsole({ target, audit, colour, plan, over }: ConsoleOptions): Promise<void> {
  let model = beginning(audit);
  const listeners = new Set<() => void>();
  const become = (next: Model): void => {
    if (next === model) return;
    model = next;
    for (const listener of listeners) listener();
  };
  const held: News[] = [];
  const tell = (news: News): void => {
    if (model.paused && news.feed === 'calls') held.splice(0, held.push(news) - MOST_HELD);
    else become(learn(model, news));
  };
  /** What somebody asked for, in words where it fails. */
  const attempt = (feed: Feed, work: Promise<unknown>): void =>
    void work.catch((error: unknown) => tell({ feed, trouble: toSlipwayError(error).message }));
  const wishes: Readonly<Record<Wish, () => void>> = {
    quit: () => over.abort(),
    plan: () =>
      attempt(
        'plan',
        plan().then((lines) => tell({ feed: 'plan', plan: lines })),
      ),
    older: () => attempt('calls', olderCalls(target, tell, model.calls[0]?.seq)),
    sync: () => attempt('status', target.json('POST', '/sync')),
  };
  const store: Store = {
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    model: () => model,
    press: (key, page) => {
      // Of now, not of what was drawn last: keys may come faster than pictures.
      const rows = rowsOf(model).rows.map((row) => row.key);
      const { model: next, wish } = press(model, { key, rows, page });
      become(next);
      if (!next.paused) for (const news of held.splice(0)) tell(news);
      if (wish) wishes[wish]();
    },
  };
  const screen = render(createElement(Console, { store, colour }), {
    exitOnCtrlC: false,
    // What Ink would find out by itself is false wherever `CI` is set, even on a terminal: there is one, or we would not be here.
    interactive: true,
    alternateScreen: true,
    incrementalRendering: true,
    patchConsole: false,
  });
  const leave = (): void => screen.unmount();
  over.signal.addEventListener('abort', leave, { once: true });
  const following = follow(target, tell, over.signal);
  await screen.waitUntilExit();
  over.abort();
  await following;
}
