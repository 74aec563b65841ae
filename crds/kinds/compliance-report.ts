import { enumeration, exactlyOneOf, list, object, string } from '../schema/schema.ts';
import { ageColumn, conditionColumn, type Kind } from '../schema/kind.ts';
import { conditions, observedGeneration } from './conditions.ts';
import { duration, instant, localReference, text } from './values.ts';

const spec = object(
  'ComplianceReportSpec',
  'Framework, schedule and scope of a report.',
  {
    required: {
      framework: enumeration('Framework', 'What the report answers to.', ['PCI-DSS-4.0', 'HIPAA', 'GDPR']),
    },
    optional: {
      schedule: string('When reports are made: a cron expression of five fields, in UTC.', {
        pattern: String.raw`^(\S+ ){4}\S+$`,
        maxLength: 128,
      }),
      period: object(
        'ReportPeriod',
        'One report over a fixed time.',
        { required: { from: instant('Start.'), to: instant('End.') } },
        { rules: [{ rule: 'self.to > self.from', message: 'must be after from', fieldPath: '.to' }] },
      ),
      apis: list('APIs in scope. Left out, every API of the namespace.', localReference('ReportApiRef', 'An API.'), {
        minItems: 1,
        maxItems: 256,
      }),
      retention: duration('How long reports are kept.', '8760h'),
    },
  },
  { rules: [exactlyOneOf('schedule', 'period')] },
);

const status = object('ComplianceReportStatus', 'The last report.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Accepted, Produced'),
    lastRun: instant('When it was made.'),
    result: enumeration('ReportResult', 'What it says.', ['Pass', 'Fail', 'Incomplete']),
    digest: text('SHA-256 of the report.', 64),
    location: text('Where it is.', 512),
  },
});

export const complianceReport: Kind = {
  kind: 'ComplianceReport',
  plural: 'compliancereports',
  shortName: 'crep',
  writer: 'Person',
  description: 'Framework, schedule and scope of a report; status points to what was produced.',
  spec,
  status,
  columns: [
    { name: 'Framework', type: 'string', jsonPath: '.spec.framework', description: 'What the report answers to.' },
    { name: 'Result', type: 'string', jsonPath: '.status.result', description: 'What the last report says.' },
    { name: 'Last-Run', type: 'date', jsonPath: '.status.lastRun', description: 'Time since the last report.' },
    conditionColumn('Produced', 'Produced', 'Whether the last report could be made.'),
    ageColumn,
  ],
  example: `metadata:
  name: pci-monthly
  namespace: shop
spec:
  framework: PCI-DSS-4.0
  schedule: 0 3 1 * *
  apis: [{ name: payments }]
  retention: 8760h
`,
};
