/** The charts as Helm sees them, without a cluster: lint, goldens, and refusals in the words a person reads. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kindNames } from '@picket/crds/validate.ts';
import { analyzerSettings } from '@picket/analyzer/config.ts';
import { operatorSettings } from '@picket/operator/config.ts';
import { readSettings, type Setting } from '@picket/runtime/config.ts';
import { chart, crdChart, type Manifest, parseManifests, runHelm } from '../support/helm.ts';
import { findTool } from '../support/tools.ts';

const { missing } = findTool('helm');
const testdata = new URL('testdata/charts/', import.meta.url);
const cases = ['default', 'external', 'monitored', 'providers'];

const valuesOf = (name: string): string => new URL(`${name}.values.yaml`, testdata).pathname;

async function template(...args: string[]): Promise<string> {
  const { code, out, err } = await runHelm(['template', 'picket', chart, '--namespace', 'picket-system', ...args]);
  if (code !== 0) throw new Error(err);
  return out;
}

/** Certificates and passwords are new at each rendering. */
function withoutSecrets(text: string): string {
  return text.replace(/^( {2}[\w.-]+): [A-Za-z0-9+/]{24,}=*$/gm, '$1: <secret>');
}

describe.skipIf(missing)(`charts${missing ? ` (${missing})` : ''}`, () => {
  it.each([
    ['picket', chart],
    ['picket-crds', crdChart],
  ])('%s has nothing that helm lint would say', async (_, path) => {
    const { code, out, err } = await runHelm(['lint', '--strict', path]);
    expect(code, out + err).toBe(0);
    expect(out).toContain('0 chart(s) failed');
    expect(out + err).not.toMatch(/WARNING|ERROR/);
  });

  // `UPDATE_GOLDEN=1` rewrites.
  it.each(cases)('renders %s.values.yaml as before', async (name) => {
    const text = withoutSecrets(await template('--values', valuesOf(name)));
    const golden = new URL(`${name}.yaml`, testdata);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text);
    expect(text).toBe(readFileSync(golden, 'utf8'));
    expect(text).not.toMatch(/\{\{[ -]|<no value>/);
  });

  it('holds the kinds, and keeps them when it is uninstalled', async () => {
    const { out } = await runHelm(['template', 'kinds', crdChart]);
    const crds = parseManifests(out);
    expect(crds.map(({ spec }) => String((spec?.['names'] as { kind?: string } | undefined)?.kind)).sort()).toEqual(
      [...kindNames].sort(),
    );
    for (const { metadata } of crds) expect(metadata.annotations?.['helm.sh/resource-policy']).toBe('keep');
  });

  it.each(cases)('runs as nobody, on a root file system it cannot write, in %s', async (name) => {
    const pods = parseManifests(await template('--values', valuesOf(name))).flatMap(podOf);
    expect(pods.length).toBeGreaterThan(1);
    for (const { spec } of pods) {
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of spec.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.requests).toHaveProperty('memory');
        expect(container.resources.limits).toHaveProperty('memory');
      }
    }
  });

  it.each(cases)('starts processes with flags that they know and accept, in %s', async (name) => {
    const pods = parseManifests(await template('--values', valuesOf(name))).flatMap(podOf);
    for (const [component, settings] of Object.entries({ operator: operatorSettings, analyzer: analyzerSettings })) {
      const container = pods.flatMap(({ spec }) => spec.containers).find((c) => c.name === component);
      const flags = Object.fromEntries(
        (container?.args ?? []).map((arg) => /^--([a-z0-9-]+)=(.*)$/.exec(arg)?.slice(1) ?? []),
      );
      const known = Object.values(settings).map(({ flag }) => flag);
      expect(Object.keys(flags).filter((flag) => !known.includes(flag))).toEqual([]);
      const variables = Object.values<Setting<unknown>>(settings).map(({ env }) => env);
      const env = (container?.env ?? []).map((variable) => variable.name).filter((v) => v !== 'NODE_EXTRA_CA_CERTS');
      expect(env.filter((variable) => !variables.includes(variable))).toEqual([]);
      expect(() => readSettings<Record<string, Setting<unknown>>>(settings, { flags, env: {} })).not.toThrow();
    }
  });

  it('grants what the guide says, and nothing else', async () => {
    const guide = readFileSync(new URL('../../docs/guides/kubernetes.md', import.meta.url), 'utf8');
    const told = [...guide.matchAll(/^\| (operator|analyzer) \| (\S+) \| (.+?) \| (.+?) \|/gm)].map((row) =>
      row.slice(1, 5),
    );
    const granted = parseManifests(await template())
      .filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && /(operator|analyzer)$/.test(metadata.name))
      .flatMap(({ metadata, rules }) =>
        (rules as Rule[]).map(({ apiGroups, resources, resourceNames, verbs }) => [
          metadata.name.replace(/.*-/, ''),
          apiGroups.join(', ') || 'core',
          resources.join(', ') + (resourceNames ? ' (its own)' : ''),
          verbs.join(', '),
        ]),
      );
    const text = (rows: string[][]): string[] => rows.map((row) => row.join(' | ')).sort((a, b) => (a < b ? -1 : 1));
    expect(text(granted)).toEqual(text(told));
  });

  it('keeps passwords out of flags and of environment in clear', async () => {
    for (const name of cases)
      for (const { spec } of parseManifests(await template('--values', valuesOf(name))).flatMap(podOf))
        for (const { args = [], env = [] } of spec.containers) {
          expect(args.join(' ')).not.toMatch(/password/i);
          for (const variable of env.filter((v) => /PASSWORD/.test(v.name))) expect(variable.value).toBeUndefined();
        }
  });

  it.each<[string, string[], string]>([
    ['a typo', ['--set', 'analyser.workers=2'], "additional properties 'analyser' not allowed"],
    [
      'a typo further down',
      ['--set', 'operator.replica=2'],
      "at '/operator': additional properties 'replica' not allowed",
    ],
    ['a second analyzer', ['--set', 'analyzer.replicas=2'], "at '/analyzer/replicas': maximum: got 2, want 1"],
    ['no analyzer', ['--set', 'analyzer.replicas=0'], "at '/analyzer/replicas': minimum: got 0, want 1"],
    ['text for a number', ['--set-string', 'analyzer.workers=4'], "at '/analyzer/workers': got string, want integer"],
    [
      'an unknown mode',
      ['--set', 'tls.mode=None'],
      "at '/tls/mode': value must be one of 'Helm', 'CertManager', 'Secrets'",
    ],
    [
      'a size without meaning',
      ['--set', 'analyzer.persistence.size=ten'],
      "at '/analyzer/persistence/size': 'ten' does not match pattern",
    ],
    [
      'a digest cut short',
      ['--set', 'operator.image.digest=sha256:12'],
      "at '/operator/image/digest': 'sha256:12' does not match pattern",
    ],
    [
      'an external NATS that is nowhere',
      ['--set', 'nats.mode=External'],
      'nats.url: nats.mode External needs the URL of your NATS',
    ],
    ['a URL that would not be used', ['--set', 'nats.url=nats://x:4222'], 'nats.url: is for nats.mode External'],
    [
      'an external store that is nowhere',
      ['--set', 'store.mode=External'],
      'store.url: store.mode External needs the URL of your ClickHouse',
    ],
    [
      'a history that is nowhere',
      ['--set', 'analyzer.history.files={access.log}'],
      'analyzer.history.volume: the files need a volume',
    ],
    [
      'given certificates that are not given',
      ['--set', 'tls.mode=Secrets'],
      'tls.secrets.operator: tls.mode Secrets needs the name of a Secret',
    ],
  ])('refuses %s', async (_, args, message) => {
    const { code, err } = await runHelm(['template', 'picket', chart, ...args]);
    expect(code).not.toBe(0);
    expect(err).toContain(message);
  });
});

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

interface PodTemplate {
  spec: {
    securityContext: unknown;
    containers: {
      name: string;
      args?: string[];
      env?: { name: string; value?: string }[];
      securityContext: unknown;
      resources: { requests: unknown; limits: unknown };
    }[];
  };
}

function podOf({ kind, spec }: Manifest): PodTemplate[] {
  return kind === 'Deployment' || kind === 'StatefulSet' ? [spec?.['template'] as PodTemplate] : [];
}
