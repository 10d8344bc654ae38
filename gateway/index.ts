/** The gateway's door: serves a snapshot's routes to MCP clients. It starts nothing and knows no git. */
import { RunningGateway } from './gateway.ts';
import type { Gateway, GatewayOptions } from './options.ts';

export type { Gateway, GatewayOptions } from './options.ts';
export { contextOf } from './context.ts';
export { tokensIn } from './limits/tokens.ts';

/** @throws SlipwayError `unsafe-listen`, `listen-failed`, `invalid-value` for an address that is none */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new RunningGateway(options);
  try {
    await gateway.start();
    return gateway;
  } catch (error) {
    await gateway[Symbol.asyncDispose]();
    throw error;
  }
}
