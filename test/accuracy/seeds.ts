/**
 * Detectors may be tuned while looking at the tuning seeds. Figures that are reported come from the reporting seeds,
 * which nobody tunes against; whoever finds a fault there adds a scenario and moves on to other reporting seeds.
 */
export const tuningSeeds = ['tune-1', 'tune-2', 'tune-3'] as const;
export const reportingSeeds = ['report-a', 'report-b', 'report-c', 'report-d', 'report-e', 'report-f'] as const;
