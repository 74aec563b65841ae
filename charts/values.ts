/** The values of the chart `picket`. */
import { choice, flag, type Group, group, integer, list, map, passedOn, quantity, text } from './value.ts';

const dnsLabel = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' };
const optionalName = '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$';

function image(repository: string, tag = ''): Group {
  return group('Image of the container.', {
    repository: text('Registry and repository.', repository, { minLength: 1 }),
    tag: text('Tag. Empty is the version of the chart.', tag),
    digest: text('Digest, for example sha256:…; goes before the tag.', '', { pattern: '^(sha256:[0-9a-f]{64})?$' }),
  });
}

function resources(cpu: string, memory: string, memoryLimit: string): Group {
  const amounts = (description: string, values: Group['values']): Group => group(description, values);
  return group('What the container asks for. No CPU limit: being throttled helps nobody.', {
    requests: amounts('Requests.', {
      cpu: quantity('CPU.', cpu),
      memory: quantity('Memory.', memory),
    }),
    limits: amounts('Limits.', { memory: quantity('Memory.', memoryLimit) }),
  });
}

function scheduling(): Group['values'] {
  return {
    nodeSelector: map('Labels of nodes that may run the pod.'),
    tolerations: passedOn('Tolerations of the pod.', []),
    affinity: passedOn('Affinity of the pod.', {}),
    priorityClassName: text('Priority class of the pod.', ''),
    podLabels: map('More labels of the pod.'),
    podAnnotations: map('Annotations of the pod.'),
  };
}

function serviceAccount(): Group {
  return group('ServiceAccount of the pod.', {
    create: flag('Make it; otherwise name one that exists.', true),
    name: text('Its name. Empty is the name of the component.', '', { pattern: optionalName }),
    annotations: map('Its annotations.'),
  });
}

function persistence(size: string): Group {
  return group('Volume of the data.', {
    size: quantity('Size of the volume.', size),
    storageClass: text('Storage class. Empty is the default of the cluster.', ''),
    onUninstall: choice('What becomes of the volume when the release is uninstalled.', 'Delete', ['Delete', 'Keep']),
  });
}

export const values: Group = group('Values of the chart `picket`.', {
  global: passedOn('Values of Helm for charts that contain this one; not used.', {}),
  nameOverride: text('Name instead of `picket` in names and labels.', '', { pattern: optionalName }),
  fullnameOverride: text('Name of the release in names of objects.', '', { pattern: optionalName }),
  labels: map('More labels of every object.'),
  imagePullPolicy: choice('When images are pulled.', 'IfNotPresent', ['Always', 'IfNotPresent', 'Never']),
  imagePullSecrets: list('Secrets to pull images with.', {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: { name: { type: 'string', minLength: 1 } },
  }),
  log: group('Log lines of operator and analyzer.', {
    level: choice('Least level.', 'info', ['debug', 'info', 'warn', 'error']),
    format: choice('Form of the lines.', 'json', ['json', 'text']),
  }),
  fleet: text(
    'Name of the Envoys that are configured together: what each gives as `node.cluster`, and a name in its certificate.',
    'default',
    { pattern: dnsLabel.pattern },
  ),
  ja4: flag(
    'Listeners of the fleet that terminate TLS compute JA4 fingerprints, so that decisions may name one.',
    false,
  ),
  namespaces: list('Namespaces to look after, with rights in no other. Empty is all.', dnsLabel),
  operator: group('Reads objects, compiles policies, serves filters to Envoys, writes status.', {
    replicas: integer('Replicas; one leads, the others stand by and serve filters.', 2, 1, 5),
    image: image('picket-operator'),
    resources: resources('100m', '256Mi', '512Mi'),
    podDisruptionBudget: group('Bound on voluntary disruptions; made with more than one replica.', {
      enabled: flag('Make it.', true),
      maxUnavailable: integer('Replicas that may be away.', 1, 1, 4),
    }),
    service: group('Where Envoys fetch filters (delta ECDS over gRPC with mutual TLS).', {
      type: choice('Type of the Service.', 'ClusterIP', ['ClusterIP', 'LoadBalancer']),
      port: integer('Port.', 18091, 1, 65_535),
      annotations: map('Annotations.'),
    }),
    serviceAccount: serviceAccount(),
    ...scheduling(),
  }),
  analyzer: group('Takes traffic from Envoys, learns, judges, decides, stores.', {
    replicas: integer('One: analyzers that share the work are not built yet, and two would each know half.', 1, 1, 1),
    workers: integer('Threads for analysis; 0 is right up to two cores.', 0, 0, 64),
    image: image('picket-analyzer'),
    resources: resources('500m', '1Gi', '3Gi'),
    persistence: persistence('20Gi'),
    history: group('Access logs to learn from at the first start, so that baselines need no day of waiting.', {
      volume: passedOn('Volume with them, as in a pod: for example `configMap: { name: yesterday }`.', {}),
      files: list('Their names in the volume.', { type: 'string', pattern: '^[^,]+$' }),
    }),
    terminationGracePeriodSeconds: integer('Time to judge, store and write a checkpoint before the end.', 60, 20, 600),
    service: group('Where Envoys send access logs (gRPC with mutual TLS).', {
      type: choice('Type of the Service.', 'ClusterIP', ['ClusterIP', 'LoadBalancer']),
      port: integer('Port.', 18090, 1, 65_535),
      annotations: map('Annotations.'),
    }),
    serviceAccount: serviceAccount(),
    ...scheduling(),
  }),
  store: group('Where history goes.', {
    mode: choice(
      'Embedded is ClickHouse’s engine in the analyzer’s volume: for small installations. External is your ClickHouse.',
      'Embedded',
      ['Embedded', 'External'],
    ),
    url: text('External: URL, for example https://clickhouse.data:8443.', '', { pattern: '^(https?://.+)?$' }),
    existingSecret: text('External: Secret with the keys `username` and `password`.', '', { pattern: optionalName }),
  }),
  nats: group('The bus between operator and analyzer, and where events go.', {
    mode: choice('Bundled is one NATS server with JetStream. External is yours.', 'Bundled', ['Bundled', 'External']),
    url: text('External: URL, for example tls://nats.messaging:4222.', '', { pattern: '^((nats|tls)://.+)?$' }),
    existingSecret: text(
      'Secret with the keys `username` and `password` (and `events-password` for Bundled). Empty: made by the chart for Bundled.',
      '',
      { pattern: optionalName },
    ),
    image: image('nats', '2.15.1-alpine'),
    resources: resources('50m', '128Mi', '512Mi'),
    persistence: persistence('10Gi'),
    ...scheduling(),
  }),
  tls: group('Mutual TLS between Envoys, operator, analyzer and the bundled NATS.', {
    mode: choice(
      'Helm makes certificates at install and keeps them over upgrades. CertManager asks cert-manager and renews them. Secrets uses yours.',
      'Helm',
      ['Helm', 'CertManager', 'Secrets'],
    ),
    issuerRef: group('CertManager: who signs. Empty: an authority of the release’s own.', {
      name: text('Name of the Issuer or ClusterIssuer.', '', { pattern: optionalName }),
      kind: choice('Its kind.', 'Issuer', ['Issuer', 'ClusterIssuer']),
    }),
    secrets: group('Secrets: names of Secrets with `tls.crt`, `tls.key` and `ca.crt`.', {
      operator: text('For the operator’s Service.', '', { pattern: optionalName }),
      analyzer: text('For the analyzer’s Service.', '', { pattern: optionalName }),
      nats: text('For the bundled NATS.', '', { pattern: optionalName }),
    }),
  }),
  networkPolicy: group('NetworkPolicies: everything that is not needed is refused.', {
    enabled: flag('Make them.', true),
    envoys: passedOn(
      'Peers (`from` of an ingress rule) that may reach the feeds. Empty is everybody: they must show a certificate anyway.',
      [],
    ),
    scrapers: passedOn('Peers that may read metrics. Empty is everybody in the cluster.', []),
    eventReaders: passedOn('Peers, besides Picket, that may reach the bundled NATS: a SIEM that reads events.', []),
    apiServerPorts: list(
      'Ports of the API server, for egress.',
      { type: 'integer', minimum: 1, maximum: 65_535 },
      [443, 6443],
    ),
  }),
  providers: group('Control planes that configure Envoys, to which a TrafficSensor may give objects.', {
    envoyGateway: group('Envoy Gateway.', {
      enabled: flag('Let the operator write EnvoyProxies and EnvoyPatchPolicies.', false),
    }),
    istio: group('Istio.', { enabled: flag('Let the operator write EnvoyFilters.', false) }),
    tlsSecret: text(
      'Secret with the certificate of the Envoys (`tls.crt`, `tls.key`, `ca.crt`), which lies in the namespace of their pods.',
      'picket-envoy-tls',
      { pattern: dnsLabel.pattern },
    ),
  }),
  rbac: group('Rights.', {
    create: flag('Make roles and bindings for operator and analyzer.', true),
    aggregate: flag('Add rights on Picket’s kinds to the roles `view`, `edit` and `admin` of the cluster.', true),
    gatewayAPI: flag('Let the operator read Gateways and routes that a ProtectedAPI may name.', true),
  }),
  metrics: group('For Prometheus and Grafana.', {
    serviceMonitor: group('ServiceMonitors of the Prometheus operator.', {
      enabled: flag('Make them.', false),
      interval: text('How often metrics are read.', '30s', { pattern: '^[0-9]+(ms|s|m)$' }),
      labels: map('Labels by which your Prometheus finds them.'),
    }),
    dashboard: group('A Grafana dashboard in a ConfigMap.', {
      enabled: flag('Make it.', false),
      labels: map('Labels by which Grafana’s sidecar finds it.', { grafana_dashboard: '1' }),
    }),
  }),
});
