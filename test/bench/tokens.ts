/** What a route costs an agent's context before it has done anything, by discovery mode, and how fast the tools behind it are found. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { GATEWAY } from '../helpers/configs.ts';
import { Desk, Running } from '../helpers/slipway.ts';
import { percentile, printRows, type Row } from './measure.ts';
import { talker, type Talker } from './talk.ts';
import { Wire } from './wire.ts';

const OFFICE = fileURLToPath(new URL('office.mjs', import.meta.url));
const SERVERS = Array.from({ length: 10 }, (_, at) => `office${at}`);
const CALLS = 500;

const MODES: Readonly<Record<string, object>> = {
  full: {},
  lazy: { discovery: 'lazy' },
  'lazy, with summaries': { discovery: 'lazy', embedServerSummaries: { enabled: true } },
  search: { discovery: 'search' },
  'search, with scripts': { discovery: 'search', codeMode: {} },
};

interface Question {
  readonly mode: string;
  readonly name: string;
  readonly args: Record<string, unknown>;
}

/** Ten calls in one. */
const SCRIPT = `
  const found = await listTools('change an invoice', 10);
  const answers = await Promise.all(found.map(({ name }) => callTool(name, {}).catch(({ message }) => message)));
  return 'asked for ' + found[0].name + ' and others: ' + answers.length;`;

/** What an agent asks before it calls something. */
const QUESTIONS: readonly Question[] = [
  { mode: 'lazy', name: 'list_servers', args: {} },
  { mode: 'lazy', name: 'list_commands', args: { servers: ['office3'] } },
  { mode: 'lazy', name: 'describe_commands', args: { server: 'office3', command_names: ['update_invoice'] } },
  { mode: 'search', name: 'find_tools', args: { query: 'change an invoice of a customer' } },
  { mode: 'search, with scripts', name: 'run_script', args: { script: SCRIPT } },
];

export async function tokensBench(program: string): Promise<Row[]> {
  await using desk = new Desk();
  const office = spawn(process.execPath, [OFFICE], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [chunk] = (await once(office.stdout, 'data')) as [Buffer];
    const url = chunk.toString().trim();
    desk.push({
      'gateway.yaml': GATEWAY,
      ...Object.fromEntries(
        SERVERS.map((name) => [
          `${name}.yaml`,
          document('Server', name, {
            url,
            privateNetwork: true,
            description: `Office number ${name.slice(-1)}: customers, invoices, orders.`,
          }),
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(MODES).map(([mode, more]) => [
          `p-${pathOf(mode)}.yaml`,
          document('Project', pathOf(mode), { servers: SERVERS, ...more }),
        ]),
      ),
    });
    const args = [program, 'up', '--repo', desk.remote, '--state-dir', desk.state, '--listen', '127.0.0.1:0'];
    const running = new Running(
      spawn(process.execPath, args, { cwd: desk.home, env: desk.env(), stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    const base = await running.serving;
    const rows: Row[] = [];
    let full = 0;
    for (const mode of Object.keys(MODES)) {
      const tokens = encode(await listed(`${base}/projects/${pathOf(mode)}/mcp`)).length;
      full ||= tokens;
      rows.push({ name: `first tools/list, ${mode}`, value: tokens, unit: 'tokens' });
      if (tokens !== full)
        rows.push({
          name: `first tools/list, ${mode}: saved`,
          value: 1 - tokens / full,
          unit: '×',
          target: 0.9,
          atLeast: true,
        });
    }
    for (const { mode, name, args: asked } of QUESTIONS)
      rows.push(...(await timed(`${base}/projects/${pathOf(mode)}/mcp`, name, asked)));
    printRows('What agents see: 10 servers with 20 tools each', rows);
    await running.stop();
    return rows;
  } finally {
    office.kill();
  }
}

const pathOf = (mode: string): string => mode.replace(', with ', '-');

const document = (kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });

/** As the model gets it: what clients hand on of the answer. */
async function listed(url: string): Promise<string> {
  const client = await talker(url);
  using wire = await Wire.open(new URL(url));
  const { body } = await client.call(wire, 1, 'tools/list', {});
  const { result } = JSON.parse(body.replace(/^[^{]*/, '')) as { result: { tools: unknown[] } };
  return JSON.stringify(result.tools);
}

async function timed(url: string, name: string, args: Record<string, unknown>): Promise<Row[]> {
  const client: Talker = await talker(url);
  using wire = await Wire.open(new URL(url));
  const ask = async (id: number): Promise<string> =>
    (await client.call(wire, id, 'tools/call', { name, arguments: args })).body;
  const answer = await ask(1);
  if (!answer.includes('invoice') && !answer.includes('office'))
    throw new Error(`A wrong answer: ${answer.slice(0, 300)}`);
  const times: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const began = performance.now();
    await ask(n + 2);
    times.push(performance.now() - began);
  }
  return [
    {
      name: `${name}: p50`,
      value: percentile(times, 0.5),
      unit: 'ms',
      ...(name === 'run_script' ? {} : { target: 2 }),
    },
    { name: `${name}: its answer`, value: encode(answer).length, unit: 'tokens' },
  ];
}
