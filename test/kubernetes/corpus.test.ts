/** The corpus of our own validator against the real API server: the same verdict, and the same messages to the letter. */
import { readdirSync, readFileSync } from 'node:fs';
import { kindResources } from '@picket/crds/resources.ts';
import { formatFieldError, validateObject } from '@picket/crds/validate.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { adminApi, createNamespace } from '../support/kubernetes.ts';

const missing = inject('missing');

interface Manifest {
  kind: string;
  metadata: { name?: string; namespace?: string; resourceVersion?: string };
}

interface Case {
  name: string;
  object: Manifest;
  /** What the object was before. */
  old: Manifest | undefined;
}

function readCases(folder: 'valid' | 'invalid'): Case[] {
  const url = new URL(`../../crds/testdata/${folder}/`, import.meta.url);
  return readdirSync(url).map((name) => {
    const documents = parseAllDocuments(readFileSync(new URL(name, url), 'utf8'));
    const [first, second] = documents.map((document) => document.toJS() as Manifest);
    if (!first) throw new Error(`${name} is empty`);
    return second ? { name, object: second, old: first } : { name, object: first, old: undefined };
  });
}

describe.skipIf(missing !== '')(missing || 'the corpus on a real API server', () => {
  let api: ApiServer;
  beforeAll(async () => {
    api = adminApi(inject('kubeconfig'));
    await createNamespace(api, 'shop');
  });
  afterAll(() => api.close());

  function pathOf({ kind, metadata }: Manifest): string {
    const resource = kindResources[kind];
    return `/apis/${resource?.apiVersion}/namespaces/${metadata.namespace}/${resource?.plural}`;
  }

  /** "" = accepted, else the message. Nothing stays on the server. */
  async function answerTo({ object, old }: Case): Promise<string> {
    const query = { fieldValidation: 'Strict', dryRun: 'All' };
    try {
      if (old) {
        const { metadata } = await api.request<Manifest>('POST', pathOf(old), { body: old });
        const path = `${pathOf(old)}/${metadata.name}`;
        const changed = { ...object, metadata: { ...object.metadata, resourceVersion: metadata.resourceVersion } };
        try {
          await api.request('PUT', path, { body: changed, query });
        } finally {
          await api.request('DELETE', path);
        }
      } else await api.request('POST', pathOf(object), { body: object, query });
      return '';
    } catch (error) {
      if (error instanceof PicketError && error.code === 'InvalidObject') return error.message;
      throw error;
    }
  }

  // A namespace whose name is not valid cannot exist, and where it would be the server says only that.
  const elsewhere = 'papi-namespace.yaml';

  it.each(readCases('invalid').filter(({ name }) => name !== elsewhere))(
    '$name is refused with our messages',
    async (file) => {
      const { object, old } = file;
      const before = old && validateObject(object.kind, old).defaulted;
      const ours = validateObject(object.kind, object, before).errors.map(formatFieldError);
      const answer = await answerTo(file);
      // Unknown fields end the reading of a request, so the server says nothing about the rest.
      const unknown = ours.filter((message) => message.startsWith('unknown field '));
      const said = answer.split(/ is invalid: | strict decoding error: /, 2)[1] ?? answer;
      expect(messagesIn(said, unknown.length > 0 ? unknown : ours)).toEqual({ absent: [], more: '' });
    },
  );

  it(`${elsewhere} has no place to go`, async () => {
    const [file] = readCases('invalid').filter(({ name }) => name === elsewhere);
    await expect(answerTo(file as Case)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it.each(readCases('valid'))('$name is accepted', async (file) => {
    expect(await answerTo(file)).toBe('');
  });
});

/** The server lists messages in brackets, in an order of its own; taken out one by one, nothing may be left. */
function messagesIn(said: string, expected: readonly string[]): { absent: string[]; more: string } {
  const absent: string[] = [];
  let more = said;
  for (const message of [...expected].sort((a, b) => b.length - a.length)) {
    if (more.includes(message)) more = more.replace(message, () => '');
    else absent.push(message);
  }
  return { absent, more: more.replaceAll(/[[\], ]/g, '') };
}
