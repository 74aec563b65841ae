/** `/metrics` of `picket up`: those of analyzer and operator, and what the folder of manifests says. */
import type { AnalyzerMetrics } from '@picket/analyzer/analyzer.ts';
import { reportAnalyzer } from '@picket/analyzer/service/metrics.ts';
import type { FleetMetrics } from '@picket/operator/envoy/fleet.ts';
import { reportOperator } from '@picket/operator/metrics.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import { createMetrics, reportLedger } from '@picket/runtime/metrics.ts';
import type { AdminOptions, AdminView } from './admin.ts';

export interface ProcessMetrics {
  analyzer: AnalyzerMetrics;
  fleet: FleetMetrics;
  /** Prometheus text format. */
  render(options: AdminOptions, view: AdminView): Promise<string>;
  contentType: string;
}

export function createProcessMetrics(ledger: Ledger): ProcessMetrics {
  const metrics = createMetrics({ node: true });
  reportLedger(metrics, ledger);
  /** What the scrape that is being answered is about. */
  let scrape: { options: AdminOptions; view: AdminView } | undefined;
  const analyzer = reportAnalyzer(metrics, systemClock, () => scrape?.view);
  const fleet = reportOperator(metrics, () => scrape?.view.envoys);
  metrics.readFrom('picket_manifest_problems', () => {
    const problems = scrape?.options.objects.problems() ?? [];
    return (['Error', 'Warning'] as const).map((severity) => ({
      labels: { severity },
      value: problems.filter((problem) => problem.severity === severity).length,
    }));
  });
  return {
    analyzer: analyzer.passing,
    fleet,
    async render(options, view) {
      scrape = { options, view };
      await analyzer.beforeScrape();
      return metrics.text();
    },
    contentType: metrics.contentType,
  };
}
