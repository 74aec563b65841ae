/** `/` of the admin port: what is running, for a person; text for a terminal, a small page for a browser. */
import type { AdminOptions, AdminView } from './admin.ts';

interface Section {
  title: string;
  rows: [string, string][];
}

export async function renderHome(
  options: AdminOptions,
  view: AdminView,
  ready: boolean,
  accept: string,
): Promise<{ status: number; type: string; body: string }> {
  const sections = sectionsOf(options, view, ready);
  if (accept.includes('text/html')) return { status: 200, type: 'text/html; charset=utf-8', body: html(sections) };
  return { status: 200, type: 'text/plain; charset=utf-8', body: text(sections) };
}

function sectionsOf(options: AdminOptions, view: AdminView, ready: boolean): Section[] {
  const ledger = options.ledger.snapshot();
  const now = options.clock.now();
  const uptime = Math.round((now - options.startedAt) / 1000);
  const apis = view.analyzer?.apis() ?? [];
  const verdicts = view.analyzer?.verdicts() ?? [];
  return [
    {
      title: 'Picket standalone',
      rows: [
        [
          'state',
          ready ? 'ready' : view.history.done ? 'starting' : `learning from history, ${view.history.entries} entries`,
        ],
        ['up', `${uptime} s`],
        [
          'access logs',
          view.listening.als ? `port ${view.listening.als}, ${countOf(view.streams.length, 'stream')}` : 'not yet',
        ],
        [
          'filters',
          view.listening.xds
            ? `port ${view.listening.xds}, ${countOf(view.envoys.filter((e) => e.connected).length, 'Envoy')}`
            : 'not yet',
        ],
        ['manifests', `${countOf(options.objects.problems().length, 'problem')} (/api/v1/problems)`],
      ],
    },
    {
      title: 'APIs',
      rows: apis.map((a) => [
        a.api,
        `${a.observations} requests, ${a.traffic ? a.traffic.requestsPerSecond.toFixed(1) : '0'}/s, ${a.operations.length} operations, ` +
          `${a.activity.acting} decisions in force`,
      ]),
    },
    {
      title: 'Highest risks',
      rows: verdicts
        .slice(0, 10)
        .map((v) => [
          v.name,
          `${v.score.toFixed(0)} ${[...v.findings.map((f) => f.detector), ...(v.inheritsFrom === undefined ? [] : [`inherited from ${v.inheritsFrom}`])].join(', ')}`,
        ]),
    },
    {
      title: 'Requests',
      rows: [
        ['received', String(ledger.received)],
        ['stored', String(ledger.stored)],
        ...storeRow(view),
        ['held', String(ledger.held)],
        ...ledger.byReason.map((d): [string, string] => [`dropped ${d.stage}/${d.reason}`, String(d.count)]),
        ...view.completeness.map((c): [string, string] => [
          `complete ${c.node}/${c.prefix}`,
          `${c.status === 'Known' ? `${(c.ratio * 100).toFixed(2)} %` : `Unknown (${c.reason})`} of ${c.apis.join(', ') || 'no API'}`,
        ]),
      ],
    },
    {
      title: `Requests in flight for long${view.inFlight?.size() ? `: ${view.inFlight.size()}` : ''}`,
      rows: (view.inFlight?.longest(10) ?? []).map((r) => [
        r.api || 'no API',
        `${r.method || '?'} ${r.status || 'unanswered'}, ${spanOf(now - r.startedAtMs)}, ` +
          `${bytesOf(r.requestBytes)} in, ${bytesOf(r.responseBytes)} out, ${r.source}, request ${r.requestId || '-'}`,
      ]),
    },
    {
      title: 'More',
      rows: [
        ['/api/v1/status', 'all of this as JSON'],
        ['/api/v1/objects/RiskVerdict', 'verdicts; also ProtectedAPI, BehaviorPolicy, …'],
        ['/api/v1/loss', 'every drop with stage and reason'],
        ['/metrics', 'Prometheus'],
        ['/healthz, /readyz', 'probes'],
      ],
    },
  ];
}

function storeRow({ store }: AdminView): [string, string][] {
  if (store === undefined || store.failingSinceMs === 0) return [];
  const since = new Date(store.failingSinceMs).toISOString();
  return [['store', `takes nothing since ${since}: ${store.held} requests wait, ${store.dropped} were dropped`]];
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function spanOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`;
}

function bytesOf(bytes: number): string {
  if (Number.isNaN(bytes)) return '? B';
  return bytes < 10_000
    ? `${bytes} B`
    : bytes < 10_000_000
      ? `${Math.round(bytes / 1000)} kB`
      : `${Math.round(bytes / 1e6)} MB`;
}

function text(sections: Section[]): string {
  return sections
    .filter((s) => s.rows.length > 0)
    .map(({ title, rows }) => {
      const width = Math.max(...rows.map(([name]) => name.length));
      return `${title}\n${rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}\n`;
    })
    .join('\n');
}

function html(sections: Section[]): string {
  const body = sections
    .filter((s) => s.rows.length > 0)
    .map(
      ({ title, rows }) =>
        `<section><h2>${escape(title)}</h2><table>${rows
          .map(([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`)
          .join('')}</table></section>`,
    )
    .join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Picket</title><style>
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
h2{font-size:1.05rem;margin:1.5rem 0 .4rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.2rem .8rem .2rem 0;font-weight:400;vertical-align:top}th{opacity:.75;white-space:nowrap}
</style><body>${body}</body></html>\n`;
}

function escape(value: string): string {
  return value.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
