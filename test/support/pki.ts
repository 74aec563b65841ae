/** Certificates for tests of mutual TLS, made with openssl. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why a test that needs certificates is skipped; undefined when it can run. */
export const missingOpenssl: string | undefined =
  spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not installed';

export interface KeyPair {
  certificate: string;
  key: string;
}

export interface Pki {
  /** Certificate of the authority. */
  readonly ca: string;
  /** Path of a file in the folder. */
  file(name: string): string;
  /** `<name>.crt` and `<name>.key`, signed by the authority; names as `DNS:picket` or `URI:spiffe://…`, taken as they are. */
  issue(name: string, ...alternativeNames: string[]): KeyPair;
}

/** An authority of its own in `folder`. */
export function createPki(folder: string): Pki {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe', cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.crt');
  return {
    ca: file('ca.crt'),
    file,
    issue(name, ...alternativeNames) {
      // In a section of their own, names may hold commas.
      const names = alternativeNames.map((text, i) => text.replace(/^(\w+):/, `$1.${i + 1} = `));
      writeFileSync(file(`${name}.ext`), `subjectAltName=@names\n[names]\n${names.join('\n')}\n`);
      openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
      openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2'],
        ...['-CAcreateserial', '-extfile', `${name}.ext`, '-out', `${name}.crt`],
      );
      return { certificate: file(`${name}.crt`), key: file(`${name}.key`) };
    },
  };
}
