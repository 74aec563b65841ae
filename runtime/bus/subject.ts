/** Subjects and keys as NATS spells them, for both buses alike. */
import { BusError } from './bus.ts';

const token = /^[^\s.*>]+$/;
const key = /^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/;
const bucketName = /^[a-zA-Z0-9_-]+$/;

/** @throws BusError `refused` for anything but dot-separated tokens, with `*` and a trailing `>` where `wildcards`. */
export function checkSubject(subject: string, wildcards: boolean): void {
  const tokens = subject.split('.');
  const valid = tokens.every(
    (part, index) => token.test(part) || (wildcards && (part === '*' || (part === '>' && index === tokens.length - 1))),
  );
  if (!valid) throw new BusError('refused', `${JSON.stringify(subject)} is no NATS subject`, false);
}

/** @throws BusError `refused` */
export function checkKey(name: string): void {
  if (!key.test(name)) throw new BusError('refused', `${JSON.stringify(name)} is no NATS key`, false);
}

/** @throws BusError `refused` */
export function checkBucketName(name: string): void {
  if (!bucketName.test(name)) throw new BusError('refused', `${JSON.stringify(name)} is no NATS bucket name`, false);
}

/** Whether every subject that `subject` stands for matches `pattern`; both may hold wildcards. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const given = subject.split('.');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return given.length > i;
    const part = given[i];
    if (part === undefined || part === '>') return false;
    if (wanted[i] !== '*' && wanted[i] !== part) return false;
  }
  return given.length === wanted.length;
}
