// Generated from crds/kinds by `npm run generate -w crds`. Do not edit.
// Types of objects as stored: fields with a default are always there.

export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  /** Rises with each change of `spec`. */
  generation: number;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One API: where it is, who its principals are, what its operations mean. */
export interface ProtectedAPI {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'ProtectedAPI';
  metadata: ObjectMeta;
  spec: ProtectedAPISpec;
  status?: ProtectedAPIStatus;
}

/** How anomalous is too much, and what happens then. */
export interface BehaviorPolicy {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'BehaviorPolicy';
  metadata: ObjectMeta;
  spec: BehaviorPolicySpec;
  status?: BehaviorPolicyStatus;
}

/** The current judgement on one principal. Picket creates it; a person may set spec.review. */
export interface RiskVerdict {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'RiskVerdict';
  metadata: ObjectMeta;
  spec: RiskVerdictSpec;
  status?: RiskVerdictStatus;
}

/** Who is never acted on, why, whose decision, until when. */
export interface PolicyExemption {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'PolicyExemption';
  metadata: ObjectMeta;
  spec: PolicyExemptionSpec;
  status?: PolicyExemptionStatus;
}

/** Lists of addresses, networks, autonomous systems, user agents or token ids with a weight. */
export interface ReputationFeed {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'ReputationFeed';
  metadata: ObjectMeta;
  spec: ReputationFeedSpec;
  status?: ReputationFeedStatus;
}

/** Which Envoys (fleet, provider) and which nodes feed Picket, and how much of it. */
export interface TrafficSensor {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'TrafficSensor';
  metadata: ObjectMeta;
  spec: TrafficSensorSpec;
  status?: TrafficSensorStatus;
}

/** Framework, schedule and scope of a report; status points to what was produced. */
export interface ComplianceReport {
  apiVersion: 'picket.dev/v1alpha1';
  kind: 'ComplianceReport';
  metadata: ObjectMeta;
  spec: ComplianceReportSpec;
  status?: ComplianceReportStatus;
}

/** Object type by kind. */
export interface ObjectByKind {
  ProtectedAPI: ProtectedAPI;
  BehaviorPolicy: BehaviorPolicy;
  RiskVerdict: RiskVerdict;
  PolicyExemption: PolicyExemption;
  ReputationFeed: ReputationFeed;
  TrafficSensor: TrafficSensor;
  ComplianceReport: ComplianceReport;
}

export type KindName = keyof ObjectByKind;

/** Where the API is, who its principals are, what its operations mean. */
export interface ProtectedAPISpec {
  /** Gateway API objects or Services that carry the API. */
  targetRefs?: ApiTargetRef[];
  /** Hosts of the API, for an Envoy outside Gateway API or to narrow the targets. */
  hosts?: string[];
  /** Path that all requests of the API start with. Left out, any path of the hosts. */
  pathPrefix?: string;
  /** How much a success of an attacker would hurt; raises the score. */
  criticality: Criticality;
  /** The OpenAPI 3 document that declares the operations. Without one Picket learns them from traffic. */
  contract?: Contract;
  /** Who a request acted for. */
  identity?: Identity;
  /** Business meaning of operations. */
  flows?: Flow[];
  /** Which path variables name an object that someone owns. */
  objects?: ObjectRule[];
  /** What the API carries. */
  data?: DataSpec;
}

/** A route, gateway or service that carries the API, in the same namespace. */
export interface ApiTargetRef {
  /** Kind of the target. */
  kind: ApiTargetKind;
  /** Name of the target. */
  name: string;
  /** API group of the target; "" for a Service. */
  group: string;
  /** Listener of a Gateway or rule of a route; left out, the whole target. */
  sectionName?: string;
}

export type ApiTargetKind = 'HTTPRoute' | 'GRPCRoute' | 'Gateway' | 'Service';

export type Criticality = 'Low' | 'Normal' | 'High' | 'Crown';

/** The OpenAPI 3 document that declares the operations. Without one Picket learns them from traffic. */
export interface Contract {
  /** A key of a ConfigMap in the same namespace. */
  configMapKeyRef?: ContractConfigMapKeyRef;
  /** The document itself, YAML or JSON. */
  inline?: string;
  /** A file that holds the document. Relative to the manifest that names it. Only for `picket up`, not in Kubernetes. */
  file?: string;
}

/** A key of a ConfigMap in the same namespace. */
export interface ContractConfigMapKeyRef {
  /** Name of the ConfigMap. */
  name: string;
  /** Key in the data of the ConfigMap. */
  key: string;
}

/** Who a request acted for. */
export interface Identity {
  /** How the address of the client is found. */
  clientAddress?: ClientAddress;
  /** Rules in order. Each kind resolves to at most one value: the first rule that yields one. */
  principals?: PrincipalRule[];
}

/** How the address of the client is found. */
export interface ClientAddress {
  /** Proxies in front of Envoy that append to x-forwarded-for. Picket uses the address that Envoy resolved and never parses the header itself. */
  trustedHops: number;
}

/** How one kind of principal is read from a request. */
export interface PrincipalRule {
  /** Kind of the principal. Address and network need no rule, campaigns are found. */
  kind: RequestPrincipalKind;
  /** Where a request carries the value. */
  from: PrincipalSource;
  /** What of the value Envoy may match. Left out, the principal is watched and Picket acts through its address, device or campaign (NoSafeMatchKey). */
  enforceAs?: EnforceAs;
}

export type RequestPrincipalKind = 'User' | 'App' | 'Token' | 'Session' | 'Device' | 'Workload';

/** Where a request carries the value. */
export interface PrincipalSource {
  /** A request header; a secret, hashed at the border. */
  header?: HeaderSource;
  /** A cookie; a secret, hashed at the border. */
  cookie?: CookieSource;
  /** A claim of a bearer token. It counts as unverified unless Envoy vouches for the token: such an identity is watched, never blamed or matched on its own. */
  jwtClaim?: JwtClaimSource;
  /** The client certificate that Envoy verified: its subject alternative name, else its subject. */
  clientCertificate?: ClientCertificateSource;
  /** Metadata that an Envoy filter set, for example the payload of a token that jwt_authn verified. */
  dynamicMetadata?: DynamicMetadataSource;
}

/** A request header; a secret, hashed at the border. */
export interface HeaderSource {
  /** Name of the header. Case does not matter. */
  name: string;
}

/** A cookie; a secret, hashed at the border. */
export interface CookieSource {
  /** Name of the cookie. Case does not matter. */
  name: string;
}

/** A claim of a bearer token. It counts as unverified unless Envoy vouches for the token: such an identity is watched, never blamed or matched on its own. */
export interface JwtClaimSource {
  /** Path of the claim in the payload, dots between levels, for example sub. */
  claim: string;
  /** Header that carries the token. Case does not matter. */
  header: string;
}

/** The client certificate that Envoy verified: its subject alternative name, else its subject. */
export type ClientCertificateSource = Record<string, never>;

/** Metadata that an Envoy filter set, for example the payload of a token that jwt_authn verified. */
export interface DynamicMetadataSource {
  /** Metadata namespace, for example envoy.filters.http.jwt_authn. */
  namespace: string;
  /** Path in the metadata, slashes between levels, for example payload/sub. */
  path: string;
}

/** What of the value Envoy may match. Left out, the principal is watched and Picket acts through its address, device or campaign (NoSafeMatchKey). */
export interface EnforceAs {
  /** The whole value: it is verified and no secret. */
  value?: boolean;
  /** This many leading characters, which are no secret. */
  prefix?: number;
}

/** A business meaning put on operations. */
export interface Flow {
  /** Name of the flow; responses of a policy refer to it. A DNS label: lower case letters, digits and dashes, without dots. */
  name: string;
  /** What the flow means. */
  type: FlowType;
  /** Requests that belong to the flow. */
  match: FlowMatch;
  /** The account that the request is about, for example the user name of a login. */
  account?: AccountSource;
  /** When a request of the flow succeeded. Failed logins often answer 200, so say it where you can; left out, Picket learns it and says so in status.learning. */
  success?: FlowSuccess;
  /** Facts of the flow. */
  fields?: FlowFields;
}

export type FlowType = 'Login' | 'SignUp' | 'Logout' | 'PasswordReset' | 'Payment' | 'Transfer' | 'Cart' | 'Checkout' | 'Coupon' | 'Review' | 'Search' | 'Export' | 'RecordAccess' | 'Admin';

/** Requests that belong to the flow. */
export interface FlowMatch {
  /** Path below the hosts, prefix included. Variables stand in braces, a trailing /** matches any rest: /v1/orders/{id}/**. */
  path: string;
  /** HTTP method. Left out, any method matches. */
  method?: Method;
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS' | 'TRACE';

/** The account that the request is about, for example the user name of a login. */
export interface AccountSource {
  /** Field of a JSON request body; Envoy reads it on the routes of this flow only. A JSON pointer (RFC 6901), for example /user/name. */
  requestField?: string;
  /** Request header. Case does not matter. */
  header?: string;
  /** Query parameter. */
  query?: string;
}

/** When a request of the flow succeeded. Failed logins often answer 200, so say it where you can; left out, Picket learns it and says so in status.learning. */
export interface FlowSuccess {
  /** Clauses of which one must hold. */
  anyOf: OutcomeClause[];
}

/** One test, or several that must all hold. */
export interface OutcomeClause {
  /** The response has one of these status codes. */
  status?: number[];
  /** A field of a JSON response body has a value. */
  responseField?: ResponseFieldTest;
  /** The response has this header, for example set-cookie. Case does not matter. */
  responseHeader?: string;
  /** Tests that must all hold. */
  all?: OutcomeTest[];
}

/** A field of a JSON response body has a value. */
export interface ResponseFieldTest {
  /** The field. A JSON pointer (RFC 6901), for example /user/name. */
  pointer: string;
  /** The JSON value that the field must equal, for example true or "ok". */
  equals: Json;
}

/** One thing to look at in the response. */
export interface OutcomeTest {
  /** The response has one of these status codes. */
  status?: number[];
  /** A field of a JSON response body has a value. */
  responseField?: ResponseFieldTest;
  /** The response has this header, for example set-cookie. Case does not matter. */
  responseHeader?: string;
}

/** Facts of the flow. */
export interface FlowFields {
  /** The amount of a payment or transfer. */
  amount?: AmountSource;
  /** Who receives it. */
  counterparty?: CounterpartySource;
}

/** The amount of a payment or transfer. */
export interface AmountSource {
  /** Field of a JSON request body; Envoy reads it on the routes of this flow only. A JSON pointer (RFC 6901), for example /user/name. */
  requestField?: string;
  /** Request header. Case does not matter. */
  header?: string;
  /** Query parameter. */
  query?: string;
}

/** Who receives it. */
export interface CounterpartySource {
  /** Field of a JSON request body; Envoy reads it on the routes of this flow only. A JSON pointer (RFC 6901), for example /user/name. */
  requestField?: string;
  /** Request header. Case does not matter. */
  header?: string;
  /** Query parameter. */
  query?: string;
}

/** A path variable that names an object which someone owns. */
export interface ObjectRule {
  /** Requests that name the object. */
  match: ObjectMatch;
  /** Name of the path variable that holds the id of the object. */
  variable: string;
  /** What the object is, for example Account. */
  kind: string;
}

/** Requests that name the object. */
export interface ObjectMatch {
  /** Path with the variable, prefix included. Variables stand in braces, a trailing /** matches any rest: /v1/orders/{id}/**. */
  path: string;
  /** HTTP method. Left out, any method matches. */
  method?: Method;
}

/** What the API carries. */
export interface DataSpec {
  /** Classes of data that the API carries; they raise posture risk and select compliance reports. */
  classes?: DataClass[];
}

export type DataClass = 'PCI' | 'PII' | 'PHI' | 'Credentials' | 'Financial' | 'Location';

/** What Picket sees of the API. */
export interface ProtectedAPIStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Accepted, ResolvedRefs, Programmed, Observing, Learned, Ready. */
  conditions?: Condition[];
  /** The current behaviour risk. */
  risk?: ApiRisk;
  /** The risk of the API itself, apart from behaviour. */
  posture?: ApiPosture;
  /** Traffic in the window. */
  traffic?: ApiTraffic;
  /** Operations of the API. */
  operations?: ApiOperations;
  /** How far the baselines are. */
  learning?: ApiLearning;
  /** What Envoys have acknowledged; written by the operator. */
  enforcement?: ApiEnforcement;
  /** Figures formatted for kubectl get. */
  columns?: ApiColumns;
}

/** One aspect of the state of the object. */
export interface Condition {
  /** What the condition is about, in CamelCase. */
  type: string;
  /** Whether it holds. */
  status: ConditionStatus;
  /** Why, in one CamelCase word from a closed list. */
  reason: string;
  /** Why, for a person: names the field and the fix. */
  message: string;
  /** Generation of the spec that the condition was derived from. */
  observedGeneration: number;
  /** When `status` last changed. */
  lastTransitionTime: string;
}

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** The current behaviour risk. */
export interface ApiRisk {
  /** Highest score among principals. */
  score?: number;
  /** Level of that score. */
  level?: Level;
  /** Principals with the highest scores. */
  topPrincipals?: RankedPrincipal[];
  /** Detectors with the most findings. */
  topFindings?: RankedFinding[];
  /** When the level was reached. */
  since?: string;
}

export type Level = 'None' | 'Low' | 'Elevated' | 'High' | 'Critical';

/** A principal and its score. */
export interface RankedPrincipal {
  /** Kind of the principal. */
  kind: PrincipalKind;
  /** Keyed hash of the principal. */
  pseudonym: string;
  /** Its score. */
  score: number;
  /** Name of its RiskVerdict. */
  verdict?: string;
}

export type PrincipalKind = 'User' | 'App' | 'Token' | 'Session' | 'Device' | 'Address' | 'Network' | 'Workload' | 'Campaign';

/** A detector and how many principals it found. */
export interface RankedFinding {
  /** Detector id. */
  detector: string;
  /** Principals with this finding. */
  principals: number;
}

/** The risk of the API itself, apart from behaviour. */
export interface ApiPosture {
  /** Posture score. */
  score?: number;
  /** Level of that score. */
  level?: Level;
  /** What makes it so. */
  reasons?: string[];
}

/** Traffic in the window. */
export interface ApiTraffic {
  /** Finished requests per second. */
  requestsPerSecond?: number;
  /** Share of responses with status 5xx. */
  errorRatio?: number;
  /** Median duration, milliseconds. */
  p50Ms?: number;
  /** 95th percentile of duration, milliseconds. */
  p95Ms?: number;
  /** 99th percentile of duration, milliseconds. */
  p99Ms?: number;
  /** Length of the window. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  window?: string;
  /** Seen requests by expected requests. Left out while unknown. */
  completeness?: number;
}

/** Operations of the API. */
export interface ApiOperations {
  /** Seen or declared. */
  known?: number;
  /** Declared by the contract. */
  declared?: number;
  /** Seen, not declared. */
  undocumented?: number;
  /** Declared, not seen. */
  unused?: number;
  /** Seen only around the gateway. */
  shadow?: number;
}

/** How far the baselines are. */
export interface ApiLearning {
  /** Phase of learning. */
  phase?: LearningPhase;
  /** Requests learned from. */
  observations?: number;
  /** Time of the first of them. */
  since?: string;
  /** What Learned takes. */
  gates?: LearningGate[];
  /** Flows without a declared success rule: what Picket learned. */
  outcomes?: LearnedOutcome[];
}

export type LearningPhase = 'Cold' | 'Learning' | 'Learned';

/** One number that must be reached. */
export interface LearningGate {
  /** What is counted. */
  name: string;
  /** Value now. */
  have: number;
  /** Value to reach. */
  need: number;
}

/** The learned rule of a flow. */
export interface LearnedOutcome {
  /** Name of the flow. */
  flow: string;
  /** What counts as success. */
  rule: string;
}

/** What Envoys have acknowledged; written by the operator. */
export interface ApiEnforcement {
  /** Decisions in force. */
  active?: number;
  /** Envoys that acknowledged the decision. */
  programmedEnvoys?: number;
  /** Envoys that should hold it. */
  totalEnvoys?: number;
}

/** Figures formatted for kubectl get. */
export interface ApiColumns {
  /** Share of errors in percent. */
  errors?: string;
  /** 99th percentile with its unit. */
  p99?: string;
  /** Completeness in percent, or Unknown. */
  complete?: string;
}

/** How anomalous is too much, and what happens then. */
export interface BehaviorPolicySpec {
  /** APIs that the policy applies to, by name. */
  targetRefs?: PolicyTargetRef[];
  /** APIs in the same namespace that the policy applies to, by label. */
  targetSelector?: PolicyTargetSelector;
  /** Observe scores and reports. DryRun also decides and shows what it would do. Enforce acts in Envoy. */
  mode: Mode;
  /** The one sensitivity knob: it drives every threshold. */
  falseAlertBudget: FalseAlertBudget;
  /** Settings of detectors. All are on; name only what differs. */
  detectors?: Detectors;
  /** The ladder of responses. The highest level that a principal reached counts. */
  responses: PolicyResponse[];
  /** Kinds of principals that responses may act on. Network must be asked for: it hits everyone behind it. */
  actOn: PrincipalKind[];
  /** Limits to the damage that a wrong decision can do, counted over principals and requests in good standing before the incident. */
  safety: Safety;
  /** What Envoy does with requests while Picket cannot be reached. Open lets them pass. */
  failure: Failure;
}

/** An API in the same namespace. */
export interface PolicyTargetRef {
  /** Kind of the target. */
  kind: PolicyTargetKind;
  /** Name of the API. */
  name: string;
  /** API group of the target. */
  group: PolicyTargetGroup;
}

export type PolicyTargetKind = 'ProtectedAPI';

export type PolicyTargetGroup = 'picket.dev';

/** APIs in the same namespace that the policy applies to, by label. */
export interface PolicyTargetSelector {
  /** Labels that an API must carry, all of them. An empty map selects every API. */
  matchLabels: Record<string, string>;
}

export type Mode = 'Observe' | 'DryRun' | 'Enforce';

/** The one sensitivity knob: it drives every threshold. */
export interface FalseAlertBudget {
  /** False alerts per API and day that you accept. */
  perDay: number;
}

/** Settings of detectors. All are on; name only what differs. */
export interface Detectors {
  /** Many failed logins on one account. */
  bruteForce?: BruteForceDetector;
  /** Many accounts tried from one source. */
  credentialStuffing?: CredentialStuffingDetector;
  /** Many accounts tried from many sources with a shared trait. */
  distributedStuffing?: DistributedStuffingDetector;
  /** Walking the ids of objects that belong to others. */
  objectEnumeration?: ObjectEnumerationDetector;
  /** Reading in bulk. */
  scraping?: ScrapingDetector;
  /** One token, key or session used from many networks or devices. */
  tokenAbuse?: TokenAbuseDetector;
  /** More requests than this principal and its peers make. */
  excess?: ExcessDetector;
  /** Scanners and forced browsing. */
  probing?: ProbingDetector;
}

/** Many failed logins on one account. */
export interface BruteForceDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

export type Sensitivity = 'Low' | 'Normal' | 'High';

/** Many accounts tried from one source. */
export interface CredentialStuffingDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

/** Many accounts tried from many sources with a shared trait. */
export interface DistributedStuffingDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

/** Walking the ids of objects that belong to others. */
export interface ObjectEnumerationDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
  /** Objects of others that a principal may touch. Left out, it is learned. */
  maxForeignObjects?: number;
}

/** Reading in bulk. */
export interface ScrapingDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

/** One token, key or session used from many networks or devices. */
export interface TokenAbuseDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

/** More requests than this principal and its peers make. */
export interface ExcessDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

/** Scanners and forced browsing. */
export interface ProbingDetector {
  /** Whether the detector contributes to scores. */
  enabled: boolean;
  /** Share of the alert budget that the detector gets. */
  sensitivity: Sensitivity;
}

/** What happens to a principal from a level upwards. */
export interface PolicyResponse {
  /** Level from which the response applies. */
  level: ResponseLevel;
  /** What happens. */
  action: Action;
  /** How long the first time; repeats lengthen it up to maxFor. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  for: string;
  /** Longest duration after repeats. Left out, twelve times `for`, at most seven days. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  maxFor?: string;
  /** Rate of a Throttle. */
  throttle?: Throttle;
  /** Flows of the API that the response is limited to. Left out, the whole API. */
  flows?: string[];
}

export type ResponseLevel = 'Low' | 'Elevated' | 'High' | 'Critical';

export type Action = 'Tag' | 'Throttle' | 'Challenge' | 'Deny';

/** Rate of a Throttle. */
export interface Throttle {
  /** Requests per minute and Envoy process that one principal keeps. */
  requestsPerMinute: number;
}

/** Limits to the damage that a wrong decision can do, counted over principals and requests in good standing before the incident. */
export interface Safety {
  /** Share of principals in good standing that may be acted on. A percentage ("1%") or, quoted, a fraction ("0.01"). */
  maxShareOfPrincipals: string;
  /** Share of their requests that may be acted on. A percentage ("1%") or, quoted, a fraction ("0.01"). */
  maxShareOfRequests: string;
  /** Age of the baseline below which nothing is enforced. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  minBaseline: string;
  /** Deny on an address is refused while more principals than this share it. */
  maxPrincipalsPerAddress: number;
}

export type Failure = 'Open';

/** Where the policy applies and what it does. */
export interface BehaviorPolicyStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Accepted, Attached, Programmed, Enforced, WithinSafety, Ready. */
  conditions?: Condition[];
  /** APIs that the policy is in force for. */
  attachedTargets?: number;
  /** State for each API; the first 64. */
  targets?: PolicyTargetStatus[];
  /** What the policy does now. */
  activity?: PolicyActivity;
  /** The policy tried on stored traffic. */
  backtest?: PolicyBacktest;
}

/** State for one API. */
export interface PolicyTargetStatus {
  /** Name of the API. */
  api: string;
  /** State in conditions: Accepted, Attached, Programmed, Enforced, WithinSafety. */
  conditions?: Condition[];
}

/** What the policy does now. */
export interface PolicyActivity {
  /** Decisions that would be in force in mode Enforce. */
  wouldAct?: number;
  /** Decisions in force. */
  acting?: number;
  /** Decisions that safety weakened or held back. */
  suppressedBySafety?: number;
  /** When one of these last changed. */
  lastChange?: string;
}

/** The policy tried on stored traffic. */
export interface PolicyBacktest {
  /** Length of the stored traffic. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  window?: string;
  /** Requests in it. */
  requests?: number;
  /** Requests that would have been denied. */
  wouldDeny?: number;
  /** Principals that would have been acted on. */
  principals?: number;
  /** Where the full result is. */
  ref?: string;
}

/** Whom the verdict is about, and what a person thinks of it. */
export interface RiskVerdictSpec {
  /** The API that the verdict is about. */
  apiRef: VerdictApiRef;
  /** The principal that the verdict is about. */
  principal: VerdictPrincipal;
  /** The judgement of a person. FalsePositive and BenignTrigger lift the decision at once; all three teach the calibration. */
  review?: Review;
}

/** The API that the verdict is about. */
export interface VerdictApiRef {
  /** Name of the object, in the same namespace. */
  name: string;
}

/** The principal that the verdict is about. */
export interface VerdictPrincipal {
  /** Kind of the principal. */
  kind: PrincipalKind;
  /** Keyed hash of the principal, in hex. */
  pseudonym: string;
}

/** The judgement of a person. FalsePositive and BenignTrigger lift the decision at once; all three teach the calibration. */
export interface Review {
  /** What it really was. */
  disposition: Disposition;
  /** Who says so. */
  by?: string;
  /** Why. */
  note?: string;
}

export type Disposition = 'TruePositive' | 'FalsePositive' | 'BenignTrigger';

/** The scored judgement. */
export interface RiskVerdictStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Active, Programmed, Reviewed. */
  conditions?: Condition[];
  /** 0 to 100, decayed to lastSeen. */
  score?: number;
  /** Level of the score. */
  level?: Level;
  /** How much the baselines behind the score can carry. */
  confidence?: number;
  /** First evidence. */
  firstSeen?: string;
  /** Last evidence. */
  lastSeen?: string;
  /** When the verdict ends without new evidence. */
  expiresAt?: string;
  /** Requests of the principal in the window. */
  requests?: number;
  /** What detectors found, strongest first. */
  findings?: VerdictFinding[];
  /** What the score is made of; the points add up to it. */
  contributions?: ScoreContribution[];
  /** What the members of a campaign share. */
  campaign?: VerdictCampaign;
  /** How to check the verdict. */
  evidence?: VerdictEvidence;
  /** Whether a decision can be made. */
  enforceable?: VerdictEnforceable;
  /** What follows from the verdict. */
  decision?: VerdictDecision;
  /** What Envoys have acknowledged; written by the operator. */
  enforcement?: VerdictEnforcement;
  /** Version of the detectors. */
  detectorVersion?: string;
  /** Figures formatted for kubectl get. */
  columns?: VerdictColumns;
}

/** One detector's statement. */
export interface VerdictFinding {
  /** Detector id. */
  detector: string;
  /** Start of the window. */
  since: string;
  /** Probability of evidence at least this strong for a principal in good standing. */
  pValue: number;
  /** What was counted. */
  observed: number;
  /** What was expected. */
  expected: number;
  /** What was counted, in words. */
  unit?: string;
  /** What the expectation rests on. */
  baseline?: FindingBaseline;
  /** OWASP API Security Top 10 (2023) ids. */
  owasp?: string[];
  /** OWASP Automated Threat ids. */
  oat?: string[];
  /** Share of the score. */
  share?: number;
}

/** What the expectation rests on. */
export interface FindingBaseline {
  /** Samples. */
  n: number;
  /** Age of the baseline, for example 26h. */
  age: string;
  /** Whether a population prior stood in for a learned baseline. */
  prior?: boolean;
}

/** One part of the score. */
export interface ScoreContribution {
  /** Detector id, corroboration, criticality, outcome, reputation, or "inherited from" and the name of a verdict. */
  source: string;
  /** Points of the score. */
  points: number;
}

/** What the members of a campaign share. */
export interface VerdictCampaign {
  /** Traits that all members share. */
  traits?: VerdictTrait[];
  /** Share of requests with these traits that belong to the campaign. */
  precision?: number;
  /** Addresses that took part. */
  addresses?: number;
  /** Accounts that were tried. */
  accounts?: number;
}

/** One shared trait. */
export interface VerdictTrait {
  /** Kind of the trait. */
  trait: Trait;
  /** Pseudonym or number of the trait. */
  value: string;
}

export type Trait = 'network' | 'asn' | 'userAgent' | 'ja4' | 'headerShape' | 'operation' | 'address';

/** How to check the verdict. */
export interface VerdictEvidence {
  /** Sample requests. */
  requestIds?: string[];
  /** Command that computes the verdict again from stored rows. */
  replay?: string;
  /** What would make it benign. */
  benignIf?: string;
}

/** Whether a decision can be made. */
export interface VerdictEnforceable {
  /** Whether it can. */
  ok: boolean;
  /** Why not, in one CamelCase word. */
  reason?: string;
  /** Why not, and the fix. */
  message?: string;
}

/** What follows from the verdict. */
export interface VerdictDecision {
  /** What happens. */
  action: Action;
  /** Mode of the policy that decided. */
  mode: Mode;
  /** When it was decided. */
  decidedAt: string;
  /** When it ends. */
  expiresAt: string;
  /** Id of the decision; Envoy names it in the details of a refused request. */
  id?: string;
  /** The policy that decided. */
  policyRef?: DecisionPolicyRef;
  /** Revision of the compiled policy. */
  revision?: string;
  /** Completion of the last request of the evidence. */
  evidenceCompleteAt?: string;
}

/** The policy that decided. */
export interface DecisionPolicyRef {
  /** Name of the object, in the same namespace. */
  name: string;
}

/** What Envoys have acknowledged; written by the operator. */
export interface VerdictEnforcement {
  /** When all Envoys had acknowledged. */
  programmedAt?: string;
  /** Envoys that acknowledged the decision. */
  programmedEnvoys?: number;
  /** Envoys that should hold it. */
  totalEnvoys?: number;
}

/** Figures formatted for kubectl get. */
export interface VerdictColumns {
  /** Kind and short pseudonym. */
  principal?: string;
  /** Detectors, strongest first. */
  why?: string;
}

/** Who is never acted on, why, whose decision, until when. */
export interface PolicyExemptionSpec {
  /** Whom the exemption is for. */
  subjects: ExemptSubject[];
  /** Why. */
  reason: string;
  /** Who decided it and answers for it. */
  owner: string;
  /** When the exemption ends; at most a year (366 days) after it begins. */
  expiresAt: string;
  /** When the exemption begins. Left out, when the object was created. */
  grantedAt?: string;
  /** APIs it applies to. Left out, every API of the namespace. */
  apis?: ExemptApiRef[];
}

/** Someone who is never acted on. */
export interface ExemptSubject {
  /** A principal by the value that requests carry. */
  principal?: ExemptPrincipal;
  /** Addresses, for example 192.0.2.0/24 or 2001:db8::/32. */
  cidr?: string;
  /** SPIFFE id of the calling workload. */
  workload?: string;
}

/** A principal by the value that requests carry. */
export interface ExemptPrincipal {
  /** Kind of the principal. */
  kind: ExemptPrincipalKind;
  /** The value as a request carries it; Picket keeps only its hash. */
  value: string;
}

export type ExemptPrincipalKind = 'User' | 'App' | 'Token' | 'Session' | 'Device' | 'Address' | 'Network' | 'Workload';

/** An API. */
export interface ExemptApiRef {
  /** Name of the object, in the same namespace. */
  name: string;
}

/** What the exemption did. */
export interface PolicyExemptionStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Accepted, Expired, Ready. */
  conditions?: Condition[];
  /** Requests of exempted subjects in the last 24 hours. */
  matchesLastDay?: number;
  /** Decisions that the exemption holds back now. */
  suppressed?: number;
}

/** A list of addresses, networks, autonomous systems, user agents or token ids with a weight. */
export interface ReputationFeedSpec {
  /** Where the list is. */
  source: FeedSource;
  /** Format of the list. */
  format: FeedFormat;
  /** What the entries are. */
  kind: FeedKind;
  /** How much an entry adds to the score. Reputation alone never blocks. */
  weight: number;
  /** How long an entry counts after it was last loaded. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  ttl: string;
}

/** Where the list is. */
export interface FeedSource {
  /** A key of a ConfigMap in the same namespace. */
  configMapKeyRef?: FeedConfigMapKeyRef;
  /** A key of a Secret in the same namespace. */
  secretKeyRef?: FeedSecretKeyRef;
  /** A file that holds the list. Relative to the manifest that names it. Only for `picket up`, not in Kubernetes. */
  file?: string;
  /** A list that Picket fetches. */
  https?: FeedHttps;
}

/** A key of a ConfigMap in the same namespace. */
export interface FeedConfigMapKeyRef {
  /** Name of the ConfigMap. */
  name: string;
  /** Key in the data of the ConfigMap. */
  key: string;
}

/** A key of a Secret in the same namespace. */
export interface FeedSecretKeyRef {
  /** Name of the Secret. */
  name: string;
  /** Key in the data of the Secret. */
  key: string;
}

/** A list that Picket fetches. */
export interface FeedHttps {
  /** Address of the list. */
  url: string;
  /** Time between fetches, at least one minute. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  interval: string;
  /** Digest that the content must have, in hex. */
  sha256?: string;
}

export type FeedFormat = 'Plain' | 'CSV' | 'Netset' | 'JSON' | 'STIX' | 'MMDB';

export type FeedKind = 'Address' | 'ASN' | 'UserAgent' | 'TokenId';

/** What was loaded. */
export interface ReputationFeedStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Accepted, Loaded, Ready. */
  conditions?: Condition[];
  /** Entries in force. */
  entries?: number;
  /** Lines that could not be read. */
  skipped?: number;
  /** SHA-256 of the content in force. */
  digest?: string;
  /** When it was loaded. */
  lastLoaded?: string;
  /** Why the last load failed; empty when it did not. */
  lastError?: string;
}

/** Which Envoys and which nodes feed Picket, and how much of it. */
export interface TrafficSensorSpec {
  /** Namespaces whose APIs may use this sensor. "*" grants all. Left out, only its own. */
  namespaces?: string[];
  /** Hosts that APIs may claim on this sensor. Left out, any. */
  hostnames?: string[];
  /** Envoys that are configured together: a fleet. */
  envoy?: SensorEnvoy;
  /** Nodes whose kernel is watched. */
  nodes?: SensorNodes;
}

/** Envoys that are configured together: a fleet. */
export interface SensorEnvoy {
  /** Who configures them. */
  provider: EnvoyProvider;
  /** Gateways of this namespace whose Envoys these are: for EnvoyGateway, and for Istio instead of a selector. */
  gateways?: string[];
  /** Pods of the fleet. */
  selector?: EnvoySelector;
  /** What they send. */
  feeds?: EnvoyFeeds;
}

export type EnvoyProvider = 'XDS' | 'Istio' | 'EnvoyGateway';

/** Pods of the fleet. */
export interface EnvoySelector {
  /** Labels that a pod must carry. */
  matchLabels: Record<string, string>;
}

/** What they send. */
export interface EnvoyFeeds {
  /** Send access log entries. */
  accessLog: boolean;
  /** Send bodies by ext_proc in observability mode. */
  bodyMirror?: BodyMirror;
}

/** Send bodies by ext_proc in observability mode. */
export interface BodyMirror {
  /** Bytes of a body that are looked at. */
  maxBodyBytes: number;
  /** Content types whose bodies are sent. */
  contentTypes: string[];
  /** Share of requests. A percentage ("1%") or, quoted, a fraction ("0.01"). */
  sample: string;
}

/** Nodes whose kernel is watched. */
export interface SensorNodes {
  /** Namespaces whose pods are watched. */
  namespaces?: string[];
  /** Ports that carry HTTP. */
  ports?: number[];
  /** Whether traffic is read before encryption. */
  tls: SensorTls;
  /** Bytes of a body that are looked at. */
  maxBodyBytes: number;
}

export type SensorTls = 'Off' | 'OpenSSL';

/** What arrives. */
export interface TrafficSensorStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Accepted, Programmed, Observing, Ready. */
  conditions?: Condition[];
  /** Open feed streams. */
  streams?: number;
  /** Entries that arrive. */
  entriesPerSecond?: number;
  /** Seen requests by expected requests. Left out while unknown. */
  completeness?: number;
  /** Nodes whose sensor runs. */
  nodesReady?: number;
  /** Nodes that should run it. */
  nodesTotal?: number;
  /** Stage and reason of the last loss. */
  lastLossReason?: string;
}

/** Framework, schedule and scope of a report. */
export interface ComplianceReportSpec {
  /** What the report answers to. */
  framework: Framework;
  /** When reports are made: a cron expression of five fields, in UTC. */
  schedule?: string;
  /** One report over a fixed time. */
  period?: ReportPeriod;
  /** APIs in scope. Left out, every API of the namespace. */
  apis?: ReportApiRef[];
  /** How long reports are kept. Hours, minutes, seconds or milliseconds, for example 15m or 1h30m. */
  retention: string;
}

export type Framework = 'PCI-DSS-4.0' | 'HIPAA' | 'GDPR';

/** One report over a fixed time. */
export interface ReportPeriod {
  /** Start. */
  from: string;
  /** End. */
  to: string;
}

/** An API. */
export interface ReportApiRef {
  /** Name of the object, in the same namespace. */
  name: string;
}

/** The last report. */
export interface ComplianceReportStatus {
  /** Generation of the spec that this status speaks of. */
  observedGeneration?: number;
  /** State in conditions: Accepted, Produced. */
  conditions?: Condition[];
  /** When it was made. */
  lastRun?: string;
  /** What it says. */
  result?: ReportResult;
  /** SHA-256 of the report. */
  digest?: string;
  /** Where it is. */
  location?: string;
}

export type ReportResult = 'Pass' | 'Fail' | 'Incomplete';

/** A verdict was said, or said anew because its score or evidence changed. */
export interface VerdictEvent {
  /** Namespace of the API. */
  namespace: string;
  /** Name of the `ProtectedAPI`. */
  api: string;
  /** Name of the `RiskVerdict`. */
  verdict: string;
  /** Whom it is about, by pseudonym. */
  principal: EventPrincipal;
  /** The scored judgement. */
  status: RiskVerdictStatus;
}

/** Whom it is about, by pseudonym. */
export interface EventPrincipal {
  /** Kind of the principal. */
  kind: PrincipalKind;
  /** Keyed hash of the principal, in hex. */
  pseudonym: string;
}

/** A decision began, changed or ended. */
export interface DecisionEvent {
  /** Namespace of the API. */
  namespace: string;
  /** Name of the `ProtectedAPI`. */
  api: string;
  /** Name of the `RiskVerdict` that it follows from. */
  verdict: string;
  /** Whom it is about, by pseudonym. */
  principal: EventPrincipal;
  /** What happened. */
  change: DecisionChange;
  /** What happens to requests. */
  action: Action;
  /** Mode of the policy that decided. */
  mode: Mode;
  /** When it was decided. */
  decidedAt: string;
  /** When it ends. */
  expiresAt: string;
  /** Id of the decision; Envoy names it in the details of a refused request. */
  id?: string;
  /** Name of the `BehaviorPolicy` that decided. */
  policy?: string;
  /** Why it changed, for a person. */
  reason?: string;
}

export type DecisionChange = 'decided' | 'extended' | 'lifted' | 'expired' | 'suppressed';

/** The analyzer judges an API by a new compiled policy. */
export interface PolicyEvent {
  /** Namespace of the API. */
  namespace: string;
  /** Name of the `ProtectedAPI`. */
  api: string;
  /** Revision of the compiled policy. */
  revision: string;
}
