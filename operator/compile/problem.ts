/** Why an object, or a part of it, could not be compiled: closed reasons, messages that name the field and the fix. */
export type ReferenceReason =
  | 'ResolvedRefs'
  | 'TargetNotFound'
  | 'TargetHasNoHost'
  | 'ContractNotFound'
  | 'ContractUnreadable'
  | 'ContractEmpty'
  | 'TemplateMatchesNothing'
  | 'FieldNotReadable'
  | 'NoSafeMatchKey';

/** Something a person should change; the rest of the object is compiled all the same. */
export interface ReferenceProblem {
  reason: Exclude<ReferenceReason, 'ResolvedRefs'>;
  message: string;
}
