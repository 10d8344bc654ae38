/** ajv as strict as the published schemas allow. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';

/**
 * `strictTypes` and `strictRequired` are off: the `required` and `properties` inside `oneOf` and `not` would have to
 * repeat the type and the fields that stand one level above.
 */
export function strictAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false });
  ajv.addFormat('date-time', z.regexes.datetime({ offset: true }));
  return ajv;
}
