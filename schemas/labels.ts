/** What labels a resource must have, in Kubernetes' words (`LabelSelectorRequirement`). */
export interface LabelRule {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  /** For `In` and `NotIn`. */
  readonly values?: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** Whether labels follow all of the rules. `NotIn` holds of what has no such label, too. */
export function followsAll(rules: readonly LabelRule[], labels: Labels): boolean {
  return rules.every(({ key, operator, values = [] }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    return (value !== undefined && values.includes(value)) === (operator === 'In');
  });
}
