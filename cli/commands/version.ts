import { LEGACY_VERSIONS } from '../../schemas/jsonrpc.ts';
import { API_VERSION } from '../../schemas/resource.ts';
import type { Command } from '../command.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  summary: 'print versions',
  examples: ['slipway version'],
  async run({ io }) {
    io.out(
      `slipway ${VERSION}\nnode ${process.versions.node}\nconfig ${API_VERSION}\nmcp ${LEGACY_VERSIONS.join(', ')}`,
    );
    return 0;
  },
};
