/** The program of a worker thread: does one task after the other, as `workers.ts` hands them over. */
import { parentPort, type MessagePort } from 'node:worker_threads';

/** What a task can say while it runs. */
export interface Side {
  /** In order. */
  tell(message: unknown): void;
  /** @throws Error with the message of the refusal */
  ask(question: unknown): Promise<unknown>;
}

/** @param input as it was given @returns what can be cloned @throws any error: its message gets back */
export type Work = (input: never, side: Side) => Promise<unknown>;

export type ToWorker =
  | { readonly type: 'start'; readonly name: TaskName; readonly input: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly message: string };

export type FromWorker =
  | { readonly type: 'told'; readonly value: unknown }
  | { readonly type: 'asked'; readonly id: number; readonly value: unknown }
  | { readonly type: 'done'; readonly value: unknown }
  | { readonly type: 'failed'; readonly message: string };

/** THE list of tasks. Each is loaded when it is first done. */
const TASKS = {
  results: async () => (await import('./results/thread.ts')).workOnResult,
  plugin: async () => (await import('./plugins/in-worker.ts')).runHook,
  script: async () => (await import('./script/in-worker.ts')).runScript,
} as const satisfies Readonly<Record<string, () => Promise<Work>>>;

export type TaskName = keyof typeof TASKS;

type Answer = Exclude<ToWorker, { type: 'start' }>;

if (parentPort) serve(parentPort);

function serve(port: MessagePort): void {
  const open = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  const start = async (name: TaskName, input: unknown): Promise<void> => {
    // What an earlier task left behind must not speak for this one.
    let isOver = false;
    const send = (message: FromWorker): void => void (isOver || port.postMessage(message));
    const side: Side = {
      tell: (value) => send({ type: 'told', value }),
      ask: (value) =>
        new Promise((resolve, reject) => {
          const id = ++asked;
          open.set(id, (answer) =>
            answer.type === 'answer' ? resolve(answer.value) : reject(new Error(answer.message)),
          );
          send({ type: 'asked', id, value });
        }),
    };
    try {
      const work: Work = await TASKS[name]();
      send({ type: 'done', value: await work(input as never, side) });
    } catch (error) {
      send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    } finally {
      isOver = true;
      open.clear();
    }
  };
  port.on('message', (message: ToWorker) => {
    if (message.type === 'start') return void start(message.name, message.input);
    open.get(message.id)?.(message);
    open.delete(message.id);
  });
}
