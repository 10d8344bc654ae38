import type { BackupSpec } from '../../schemas/kinds/backup.ts';
import type { KindBehaviour } from './kind.ts';

/** Nothing runs because of it, and the gateway need not know: `backup/backups.ts` follows it. */
export const backup: KindBehaviour<BackupSpec> = {};
