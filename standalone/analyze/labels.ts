/** Numbers of the policy contract → names in reports. */
import { type Action, Level, type PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type ActionName, actionNames, type KindName, kindNames, type LevelName, levelNames } from './result.ts';

export function levelName(level: Level): LevelName {
  return level === Level.UNSPECIFIED ? 'None' : (levelNames[level - 1] ?? 'None');
}

/** Throws on a kind that the contract does not have: that is a bug, not input. */
export function kindName(kind: PrincipalKind): KindName {
  const name = kindNames[kind - 1];
  if (name === undefined) throw new RangeError(`no principal kind ${kind}`);
  return name;
}

/** `undefined` for the absent action. */
export function actionName(action: Action): ActionName | undefined {
  return actionNames[action - 1];
}
