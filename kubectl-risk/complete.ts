/**
 * Completion by kubectl, which asks `kubectl_complete-risk` with the words so far: one candidate a line, a tab before its
 * description, and at the end a directive of cobra: 4 = no file names.
 */
import type { Command, Option } from 'commander';

export interface Candidate {
  value: string;
  about?: string;
}

/** Names that only the cluster knows. */
export interface Names {
  verdicts(): Promise<Candidate[]>;
  policies(): Promise<Candidate[]>;
  apis(): Promise<Candidate[]>;
  namespaces(): Promise<Candidate[]>;
  contexts(): Promise<Candidate[]>;
}

/** @param words after `kubectl risk`; the last is the one being typed, perhaps empty */
export async function complete(program: Command, words: readonly string[], names: Names): Promise<Candidate[]> {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const found = await candidates(program, before, typed, names);
  return found.filter(({ value }) => value.startsWith(typed));
}

export function renderCandidates(found: readonly Candidate[]): string {
  const lines = found.map(({ value, about }) => (about ? `${value}\t${about}` : value));
  return [...lines, ':4', ''].join('\n');
}

async function candidates(
  program: Command,
  before: readonly string[],
  typed: string,
  names: Names,
): Promise<Candidate[]> {
  const { command, waiting, given } = walk(program, before);
  if (waiting) return valuesOf(waiting, names);
  if (typed.startsWith('-'))
    return [...new Set([...(command?.options ?? []), ...program.options])]
      .filter(({ hidden, long }) => !hidden && long)
      .map(({ long, description }) => ({ value: long ?? '', about: description }));
  if (!command)
    return program.commands
      .filter((inner) => !inner.name().startsWith('_'))
      .map((inner) => ({ value: inner.name(), about: inner.description() }));
  if (given > 0) return [];
  switch (command.name()) {
    case 'explain':
    case 'review':
      return names.verdicts();
    case 'enforce':
    case 'observe':
      return names.policies();
    default:
      return [];
  }
}

/** Where the words have come to: the command, an option that waits for its value, and how many arguments are given. */
function walk(
  program: Command,
  words: readonly string[],
): { command: Command | undefined; waiting: Option | undefined; given: number } {
  let command: Command | undefined;
  let waiting: Option | undefined;
  let given = 0;
  for (const word of words) {
    if (waiting) waiting = undefined;
    else if (word.startsWith('-')) {
      const option = [...(command?.options ?? []), ...program.options].find((o) => word === o.short || word === o.long);
      waiting = option && (option.required || option.optional) ? option : undefined;
    } else if (!command) command = program.commands.find((inner) => inner.name() === word);
    else given += 1;
  }
  return { command, waiting, given };
}

async function valuesOf(option: Option, names: Names): Promise<Candidate[]> {
  if (option.argChoices) return option.argChoices.map((value) => ({ value }));
  switch (option.long) {
    case '--namespace':
      return names.namespaces();
    case '--context':
      return names.contexts();
    case '--api':
      return names.apis();
    default:
      return [];
  }
}
