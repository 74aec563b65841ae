/** Which paths name objects that someone owns, from who asks for which id. */
import { create } from '@bufbuild/protobuf';
import { type ObjectRule, ObjectRuleSchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

export interface ObjectSample {
  /** `owner`: user, token or session. */
  observe(template: string, id: string, owner: string): void;
  conclude(): { rules: ObjectRule[]; notes: string[] };
}

const maxTemplates = 64;
const maxIds = 2000;
const minIds = 20;
const minOwners = 8;

/**
 * Pages are read by many, objects that someone owns by one: of the ids that were asked for more than once, nine in ten
 * must have had a single caller. Callers of more than a fifth of the ids (crawlers, and those who walk them) are left out.
 */
export function createObjectSample(): ObjectSample {
  const templates = new Map<string, Map<string, Map<string, number>>>();
  return {
    observe(template, id, owner) {
      let ids = templates.get(template);
      if (!ids) {
        if (templates.size >= maxTemplates) return;
        ids = new Map();
        templates.set(template, ids);
      }
      let owners = ids.get(id);
      if (!owners) {
        if (ids.size >= maxIds) return;
        owners = new Map();
        ids.set(id, owners);
      }
      if (owners.size < 16 || owners.has(owner)) owners.set(owner, (owners.get(owner) ?? 0) + 1);
    },
    conclude() {
      const rules: ObjectRule[] = [];
      const notes: string[] = [];
      for (const [template, ids] of templates) {
        if (ids.size < minIds || !areOwned(ids)) continue;
        const variable = /\{(id\d*)\}(?!.*\{)/.exec(template)?.[1] ?? 'id';
        rules.push(create(ObjectRuleSchema, { path: template, variable, kind: kindOf(template) }));
        notes.push(`${template} names objects with one caller each (${ids.size} ids)`);
      }
      templates.clear();
      return { rules, notes };
    },
  };
}

function areOwned(ids: ReadonlyMap<string, ReadonlyMap<string, number>>): boolean {
  const reach = new Map<string, number>();
  for (const owners of ids.values()) for (const owner of owners.keys()) reach.set(owner, (reach.get(owner) ?? 0) + 1);
  const broad = ids.size / 5;
  let repeated = 0;
  let single = 0;
  const seen = new Set<string>();
  for (const owners of ids.values()) {
    let callers = 0;
    let requests = 0;
    for (const [owner, count] of owners) {
      if ((reach.get(owner) ?? 0) > broad) continue;
      seen.add(owner);
      callers++;
      requests += count;
    }
    if (requests < 2) continue;
    repeated++;
    if (callers === 1) single++;
  }
  return seen.size >= minOwners && repeated >= minIds / 2 && single >= repeated * 0.9;
}

/** `/orders/{id}/lines` → `Order`: the segment before the last variable. */
function kindOf(template: string): string {
  const segments = template.split('/');
  const at = segments.findLastIndex((s) => s.startsWith('{'));
  const word = (segments[at - 1] ?? '').replace(/[^A-Za-z]/g, '').toLowerCase();
  const singular = word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.endsWith('s') ? word.slice(0, -1) : word;
  return singular === '' ? 'Object' : (singular[0] ?? '').toUpperCase() + singular.slice(1);
}
