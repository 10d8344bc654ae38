/** What counting costs a call: all that `relay` does for it, with the buckets of calls that take between 0 and 100 ms. */
import { GatewayMetrics, OUTCOMES } from '../../gateway/metrics.ts';
import { median, printRows, type Row } from './measure.ts';

const CALLS = 2_000_000;
const SERVERS = Array.from({ length: 50 }, (_, at) => `server-${at}`);

export async function metricsBench(): Promise<Row[]> {
  const metrics = new GatewayMetrics();
  const round = (): number => {
    const began = performance.now();
    for (let call = 0; call < CALLS; call++) {
      const server = metrics.of(SERVERS[call % SERVERS.length] ?? '');
      server.inFlight++;
      const start = performance.now() - (call % 100);
      server.end(OUTCOMES[call % OUTCOMES.length] ?? 'ok', start);
    }
    return ((performance.now() - began) * 1e6) / CALLS;
  };
  round(); // Until it is compiled.
  const rows = [{ name: 'counting one call', value: median([round(), round(), round()]), unit: 'ns', target: 1000 }];
  printRows('Metrics', rows);
  return rows;
}
