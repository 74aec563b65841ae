/** `--pseudonymise`: the same report without a value that names somebody. */
import type { AnalyzeResult, SampleLine } from './result.ts';

const patterns: [RegExp, string][] = [
  [/[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g, '[email]'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '[address]'],
  [/(?<![\w:])(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}|:)(?![\w:])/gi, '[address]'],
  [/(?<![\w:])::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}(?![\w:])/gi, '[address]'],
  [/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, '[token]'],
];

/**
 * Principals keep kind and pseudonym only; sample lines are rebuilt from time, method, template and status. Everywhere
 * else a known value gives way to its pseudonym, and what looks like an address, an email or a token to a placeholder.
 */
export function pseudonymise(result: AnalyzeResult): AnalyzeResult {
  const known = new Map<string, string>();
  for (const v of result.verdicts) {
    const { value, pseudonym, kind } = v.principal;
    // Values of one or two characters would take ordinary words apart; they are only hidden where they stand alone.
    if (value !== null && value.length > 2) known.set(value, `${kind}/${pseudonym.slice(0, 8)}`);
    for (const t of v.campaign?.traits ?? [])
      if (t.trait === 'network' || t.trait === 'address') known.set(t.value, `[${t.trait}]`);
  }
  const values = [...known.keys()].sort((a, b) => b.length - a.length);
  const hide = (text: string): string => {
    let out = text;
    for (const value of values) if (out.includes(value)) out = out.replaceAll(value, known.get(value) ?? '');
    for (const [pattern, name] of patterns) out = out.replace(pattern, name);
    return out;
  };
  const sample = (s: SampleLine): SampleLine => {
    const template = hide(s.template);
    return { ...s, template, text: `${s.at} ${s.method} ${template === '' ? '(unknown)' : template} ${s.status}` };
  };
  return {
    ...result,
    pseudonymised: true,
    rejected: result.rejected.map((r) => ({ ...r, reason: hide(r.reason) })),
    rejectedByReason: result.rejectedByReason.map((r) => ({ ...r, reason: hide(r.reason) })),
    apis: result.apis.map((a) => ({ ...a, facts: a.facts.map(hide) })),
    operations: result.operations.map((o) => ({ ...o, template: hide(o.template) })),
    verdicts: result.verdicts.map((v) => ({
      ...v,
      principal: { ...v.principal, value: null },
      findings: v.findings.map((f) => ({ ...f, unit: hide(f.unit), words: hide(f.words) })),
      benignIf: hide(v.benignIf),
      notEnforceable: v.notEnforceable === null ? null : hide(v.notEnforceable),
      campaign:
        v.campaign === null
          ? null
          : { ...v.campaign, traits: v.campaign.traits.map((t) => ({ ...t, value: hide(t.value) })) },
      samples: v.samples.map(sample),
    })),
    spikes: result.spikes.map((s) => ({
      ...s,
      operation: s.operation === null ? null : { ...s.operation, template: hide(s.operation.template) },
    })),
    notes: result.notes.map(hide),
  };
}
