/** Data in the formats that every reading command has. */
import { stringify } from 'yaml';
import { API_VERSION, type Resource } from '../../schemas/resource.ts';

export function formatValue(value: unknown, format: 'json' | 'yaml'): string {
  return format === 'json' ? JSON.stringify(value, null, 2) : stringify(value).trimEnd();
}

/** A resource as somebody would write it: without where it came from, and without empty maps. */
export function asDocument(resource: Resource): Record<string, unknown> {
  const { name, project, labels, annotations, protect } = resource.metadata;
  const metadata = {
    name,
    ...(project === undefined ? {} : { project }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(protect === undefined ? {} : { protect }),
  };
  return { apiVersion: API_VERSION, kind: resource.kind, metadata, spec: resource.spec };
}

/** As many documents of one YAML file, so that it can be put into a config repo or applied as it is. */
export const documentsText = (documents: readonly unknown[]): string =>
  documents.map((document) => formatValue(document, 'yaml')).join('\n---\n');
