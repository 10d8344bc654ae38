/** What an engine tells while it pulls or builds: JSON objects, one a line. */
import { LineSplitter } from '../../../../schemas/lines.ts';

/** https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate, and Podman's the same. */
interface Progress {
  readonly status?: string;
  /** Of a layer. */
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** Output of a build. */
  readonly stream?: string;
  /** The answer began with 200; what went wrong later comes here. */
  readonly error?: string;
}

const MAX_LINE = 1024 * 1024;

/** An engine said no in the middle of its answer. */
export class ProgressError extends Error {}

/**
 * Reads to the end. A stream that breaks off is an error, unlike in dockerode's `followProgress`, which also keeps all lines.
 * @throws ProgressError what the engine said; else what the connection died of
 */
export async function follow(stream: NodeJS.ReadableStream, onProgress: (progress: Progress) => void): Promise<void> {
  let failure: string | undefined;
  const splitter = new LineSplitter(
    (line) => {
      const progress = parse(line);
      failure ??= progress.error;
      onProgress(progress);
    },
    { maxBytes: MAX_LINE },
  );
  for await (const chunk of stream) splitter.push(Buffer.from(chunk));
  splitter.end();
  if (failure !== undefined) throw new ProgressError(failure);
}

function parse(line: string): Progress {
  try {
    return JSON.parse(line) as Progress;
  } catch {
    return { stream: `${line}\n` };
  }
}

/** How much of a pull is done, in bytes, over all layers seen so far. */
export class PullMeter {
  readonly #layers = new Map<string, { current: number; total: number }>();

  note({ id, status, progressDetail: { current, total } = {} }: Progress): void {
    if (id === undefined) return;
    if (status === 'Downloading' && current !== undefined && total !== undefined)
      this.#layers.set(id, { current, total });
    const layer = this.#layers.get(id);
    if (layer && status === 'Download complete') layer.current = layer.total;
  }

  /** Undefined until the engine told a size. */
  get done(): { megabytes: number; of: number } | undefined {
    const layers = [...this.#layers.values()];
    if (layers.length === 0) return undefined;
    const sum = (key: 'current' | 'total'): number => layers.reduce((bytes, layer) => bytes + layer[key], 0);
    return { megabytes: Math.round(sum('current') / 1e5) / 10, of: Math.round(sum('total') / 1e5) / 10 };
  }
}

/** Lets one call through in `everyMs`. */
export function throttle(everyMs: number, act: () => void): () => void {
  let last = performance.now();
  return () => {
    if (performance.now() - last < everyMs) return;
    last = performance.now();
    act();
  };
}
