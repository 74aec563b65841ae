/** What events on the bus carry: `data` of a CloudEvent, in the words of the Kubernetes API. */
import { enumeration, object, type Schema } from '../schema/schema.ts';
import { riskVerdict } from './risk-verdict.ts';
import { actions, instant, principalKinds, text } from './values.ts';

const about = {
  namespace: text('Namespace of the API.', 63),
  api: text('Name of the `ProtectedAPI`.', 63),
};

const principal = object('EventPrincipal', 'Whom it is about, by pseudonym.', {
  required: {
    kind: enumeration('PrincipalKind', 'Kind of the principal.', principalKinds),
    pseudonym: text('Keyed hash of the principal, in hex.', 64),
  },
});

/** By the word that stands in subject and type: `picket.v1.verdict.…`, `dev.picket.verdict.v1`. */
export const events: Readonly<Record<'verdict' | 'decision' | 'policy', Schema>> = {
  verdict: object('VerdictEvent', 'A verdict was said, or said anew because its score or evidence changed.', {
    required: {
      ...about,
      verdict: text('Name of the `RiskVerdict`.', 63),
      principal,
      status: riskVerdict.status,
    },
  }),
  decision: object('DecisionEvent', 'A decision began, changed or ended.', {
    required: {
      ...about,
      verdict: text('Name of the `RiskVerdict` that it follows from.', 63),
      principal,
      change: enumeration('DecisionChange', 'What happened.', [
        'decided',
        'extended',
        'lifted',
        'expired',
        'suppressed',
      ]),
      action: enumeration('Action', 'What happens to requests.', actions),
      mode: enumeration('Mode', 'Mode of the policy that decided.', ['Observe', 'DryRun', 'Enforce']),
      decidedAt: instant('When it was decided.'),
      expiresAt: instant('When it ends.'),
    },
    optional: {
      id: text('Id of the decision; Envoy names it in the details of a refused request.', 64),
      policy: text('Name of the `BehaviorPolicy` that decided.', 63),
      reason: text('Why it changed, for a person.', 512),
    },
  }),
  policy: object('PolicyEvent', 'The analyzer judges an API by a new compiled policy.', {
    required: { ...about, revision: text('Revision of the compiled policy.', 64) },
  }),
};
