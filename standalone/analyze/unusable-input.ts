/** Input or options that nothing can be made of: one sentence on standard error and exit code 2. */
export class UnusableInput extends Error {
  override readonly name = 'UnusableInput';
}
