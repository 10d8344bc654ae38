/** The gateways and bridges that Slipway is compared with, and how each is started. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Desk } from '../helpers/slipway.ts';
import { callOf } from './load.ts';

/** Where they are installed: a package of its own, never with the product. */
export const HERE = join(import.meta.dirname, 'peers');

export interface Site {
  readonly desk: Desk;
  /** The HTTP server behind them. */
  readonly direct: string;
  /** The stdio server behind them. */
  readonly program: string;
}

export type Params = (tag: string) => Record<string, unknown>;

/** How many times the calls of one in TypeScript Slipway is to do. */
const OF_TYPESCRIPT = { HTTP: 5, stdio: 3.5 };

export interface Peer {
  readonly name: string;
  readonly to: 'HTTP' | 'stdio';
  readonly params: Params;
  /** Where it takes clients: Streamable HTTP unless `sse`. */
  readonly path: string;
  readonly sse?: true;
  /** How many times its calls Slipway is to do. Absent for a yardstick: that is to come near to. */
  readonly aim?: number;
  start(site: Site, port: number): { argv: readonly [string, ...string[]]; env?: Record<string, string> };
}

const bin = (name: string): string => join(HERE, 'node_modules', '.bin', name);

function hub(to: 'HTTP' | 'stdio', tool: string): Peer {
  return {
    name: 'mcp-hub',
    to,
    params: callOf(tool),
    path: '/mcp',
    sse: true,
    aim: OF_TYPESCRIPT[to],
    start: ({ desk, direct, program }, port) => {
      const config = join(desk.home, `hub-${to}.json`);
      const server = to === 'HTTP' ? { url: direct } : { command: process.execPath, args: [program] };
      writeFileSync(config, JSON.stringify({ mcpServers: { up: server } }));
      return { argv: [process.execPath, bin('mcp-hub'), '--port', String(port), '--config', config] };
    },
  };
}

function forwarder(to: 'HTTP' | 'stdio', tool: string): Peer {
  const program = join(import.meta.dirname, 'forwarder.mjs');
  return {
    name: 'a forwarder that checks nothing',
    to,
    params: callOf(tool),
    path: '/mcp',
    start: (site, port) => {
      const behind = to === 'HTTP' ? [site.direct] : ['--', process.execPath, site.program];
      return { argv: [process.execPath, program, String(port), ...behind] };
    },
  };
}

/** A program in Go, which calls tools through one of its own. */
function slop(to: 'HTTP' | 'stdio', tool: string): Peer {
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return {
    name: 'slop-mcp',
    to,
    params: (tag) => {
      const { name, arguments: parameters } = callOf(tool)(tag);
      return { name: 'execute_tool', arguments: { mcp_name: 'up', tool_name: name, parameters } };
    },
    path: '/sse',
    sse: true,
    aim: 1,
    start: ({ desk, direct, program }, port) => {
      const home = join(desk.home, `slop-${to}`);
      mkdirSync(join(home, 'slop-mcp'), { recursive: true });
      const way = to === 'HTTP' ? ['type "streamable"', `url "${direct}"`] : stdioOf(program);
      writeFileSync(join(home, 'slop-mcp', 'config.kdl'), `mcp "up" {\n  ${way.join('\n  ')}\n}\n`);
      const binary = join(HERE, 'node_modules/@standardbeagle/slop-mcp/binaries', `slop-mcp-linux-${arch}`);
      return { argv: [binary, 'serve', '--port', String(port)], env: { XDG_CONFIG_HOME: home } };
    },
  };
}

const stdioOf = (program: string): string[] => ['type "stdio"', `command "${process.execPath}"`, `args "${program}"`];

export const PEERS: readonly Peer[] = [
  forwarder('HTTP', 'echo'),
  forwarder('stdio', 'hello'),
  hub('HTTP', 'up__echo'),
  {
    name: 'civic',
    to: 'HTTP',
    params: callOf('echo'),
    path: '/mcp',
    aim: OF_TYPESCRIPT.HTTP,
    start: ({ direct }, port) => ({
      // It does nothing when it is started by a link.
      argv: [process.execPath, join(HERE, 'node_modules/@civic/passthrough-mcp-server/dist/cli.js')],
      env: { PORT: String(port), TARGET_SERVER_URL: new URL(direct).origin, TARGET_SERVER_MCP_PATH: '/mcp' },
    }),
  },
  slop('HTTP', 'echo'),
  {
    name: 'mcp-proxy',
    to: 'stdio',
    params: callOf('hello'),
    path: '/mcp',
    aim: OF_TYPESCRIPT.stdio,
    start: ({ program }, port) => ({
      argv: [
        process.execPath,
        bin('mcp-proxy'),
        '--port',
        String(port),
        '--host',
        '127.0.0.1',
        '--',
        process.execPath,
        program,
      ],
    }),
  },
  {
    name: 'supergateway, stateful',
    to: 'stdio',
    params: callOf('hello'),
    path: '/mcp',
    aim: OF_TYPESCRIPT.stdio,
    start: ({ program }, port) => {
      const shared = ['--outputTransport', 'streamableHttp', '--stateful', '--logLevel', 'none'];
      const behind = ['--stdio', `${process.execPath} ${program}`];
      return { argv: [process.execPath, bin('supergateway'), ...behind, '--port', String(port), ...shared] };
    },
  },
  hub('stdio', 'up__hello'),
  slop('stdio', 'hello'),
];
