/** What asking any forge has in common: it ends, and its errors are ours. */
import { SlipwayError } from '../../../schemas/errors.ts';

/** A forge that accepts the connection and then says nothing. */
export const TIMEOUT_MS = 30_000;

/** `fetch` that does not wait for ever. */
export const patient: typeof fetch = (input, init) => {
  const signals = [init?.signal, AbortSignal.timeout(TIMEOUT_MS)].filter((signal) => signal instanceof AbortSignal);
  return fetch(input, { ...init, signal: AbortSignal.any(signals) });
};

/** @throws SlipwayError forge-unreachable where trying again may help, else forge-refused; the libraries' own errors hold tokens */
export async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined) throw new SlipwayError('forge-unreachable', 'The forge does not answer.');
    const isPassing = status >= 500 || status === 429 || status === 408;
    const code = isPassing ? 'forge-unreachable' : 'forge-refused';
    throw new SlipwayError(code, `The forge answered with ${status}${wordsIn(error)}.`);
  }
}

/** Octokit and gitea-js say it on the error itself, gitbeaker in its cause. */
function statusOf(error: unknown): number | undefined {
  const { status, cause } = error as { status?: unknown; cause?: { response?: { status?: unknown } } };
  const found = status ?? cause?.response?.status;
  return typeof found === 'number' ? found : undefined;
}

/** What the forge itself says of it. */
function wordsIn(error: unknown): string {
  const {
    response,
    error: body,
    cause,
  } = error as {
    response?: { data?: { message?: unknown } };
    error?: { message?: unknown } | null;
    cause?: { description?: unknown };
  };
  const words = response?.data?.message ?? body?.message ?? cause?.description;
  return typeof words === 'string' && words !== '' ? `: ${words.replaceAll(/\s+/g, ' ').slice(0, 200)}` : '';
}
