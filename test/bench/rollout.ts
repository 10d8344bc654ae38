/** A rolling update of four instances while calls come at a steady pace: how many fail, and how long it takes. */
import { Agent, request } from 'node:http';
import { GATEWAY, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { percentile, printRows, timed, type Row } from './measure.ts';

const PER_SECOND = 50;
const ROLLOUTS = 5;

export async function rolloutBench(): Promise<Row[]> {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': four('v0') });
  const running = await desk.up();
  const url = `${await running.serving}/mcp`;
  const load = await Load.begin(url);
  const times: number[] = [];
  for (let version = 1; version <= ROLLOUTS; version++) {
    desk.push({ 'hello.yaml': four(`v${version}`) });
    times.push(await timed(() => desk.sync()));
  }
  await load.end();
  const rows: Row[] = [
    { name: `failed calls at ${PER_SECOND}/s in ${ROLLOUTS} rollouts`, value: load.failed, unit: '', target: 0 },
    { name: 'calls made meanwhile', value: load.times.length, unit: '' },
    { name: 'answer time, p99', value: percentile(load.times, 0.99), unit: 'ms' },
    { name: 'one rollout, `sync --wait` included', value: percentile(times, 0.5), unit: 'ms' },
  ];
  printRows('A rolling update of 4 instances', rows);
  await running.stop();
  return rows;
}

const four = (greeting: string): string => `apiVersion: slipway/v1
kind: Server
metadata: { name: hello }
spec:
  command: [node, hello.mjs]
  files: [hello.mjs]
  env: [{ name: GREETING, value: ${greeting} }]
  replicas: 4
  lifecycle: always
`;

/** Calls at a steady pace, whether or not those before were answered. */
class Load {
  readonly times: number[] = [];
  failed = 0;
  readonly #calls: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #url: string;
  #session: string | undefined;

  static async begin(url: string): Promise<Load> {
    const agent = new Agent();
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
    const { session } = await post(url, agent, { id: 0, method: 'initialize', params }, undefined);
    agent.destroy();
    return new Load(url, session);
  }

  private constructor(url: string, session: string | undefined) {
    this.#url = url;
    this.#session = session;
    this.#timer = setInterval(() => this.#calls.push(this.#call(this.#calls.length + 1)), 1000 / PER_SECOND);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#calls);
    this.#agent.destroy();
  }

  async #call(id: number): Promise<void> {
    const began = performance.now();
    const params = { name: 'hello__hello', arguments: { name: 'Ada' } };
    const answer = await post(this.#url, this.#agent, { id, method: 'tools/call', params }, this.#session).catch(
      String,
    );
    this.times.push(performance.now() - began);
    if (typeof answer === 'string' || !answer.body.includes('Ada!')) this.failed++;
  }
}

function post(url: string, agent: Agent, message: object, session: string | undefined) {
  const payload = JSON.stringify({ jsonrpc: '2.0', ...message });
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': Buffer.byteLength(payload),
    ...(session === undefined ? {} : { 'mcp-session-id': session }),
  };
  return new Promise<{ body: string; session: string | undefined }>((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ body, session: response.headers['mcp-session-id'] as string | undefined }));
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}
