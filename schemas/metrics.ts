/**
 * What is counted, as data: rooms fill families, one place writes them in Prometheus' text format. Counting must cost a
 * call next to nothing, so it is arithmetic on plain numbers; everything else happens when somebody asks.
 *
 * Labels hold names of the config and words of our own, never anything that a client or a server made up.
 */
export interface MetricFamily {
  /** `slipway_…`, with its unit at the end. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Of a histogram: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** Numbers by a few labels: how often something happened. */
export class Counts {
  readonly #names: readonly string[];
  readonly #values = new Map<string, { labels: Record<string, string>; value: number }>();

  constructor(...names: readonly string[]) {
    this.#names = names;
  }

  add(...labels: readonly string[]): void {
    const key = labels.join('\0');
    const found = this.#values.get(key);
    if (found) found.value++;
    else
      this.#values.set(key, {
        labels: Object.fromEntries(this.#names.map((n, at) => [n, labels[at] ?? ''])),
        value: 1,
      });
  }

  values(): MetricValue[] {
    return [...this.#values.values()].map(({ labels, value }) => ({ labels, value }));
  }
}

/** How long things took, in seconds. */
export class Durations {
  readonly #bounds: readonly number[];
  /** One more than bounds: what was longer than all of them. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    let at = 0;
    while (at < this.#bounds.length && seconds > (this.#bounds[at] as number)) at++;
    (this.#counts[at] as number)++;
    this.#sum += seconds;
  }

  /** The buckets of the histogram, each with all that came before it, as Prometheus wants them. */
  values(name: string, labels: Readonly<Record<string, string>>): MetricValue[] {
    let total = 0;
    const buckets = this.#counts.map((count, at): MetricValue => {
      total += count;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: this.#bounds[at] ?? '+Inf' }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}

export const counter = (name: string, help: string, values: readonly MetricValue[]): MetricFamily => ({
  name,
  help,
  type: 'counter',
  values,
});

export const gauge = (name: string, help: string, values: readonly MetricValue[]): MetricFamily => ({
  name,
  help,
  type: 'gauge',
  values,
});

export const histogram = (name: string, help: string, values: readonly MetricValue[]): MetricFamily => ({
  name,
  help,
  type: 'histogram',
  values,
});
