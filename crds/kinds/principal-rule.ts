import { boolean, enumeration, exactlyOneOf, integer, object } from '../schema/schema.ts';
import { headerName, principalKinds, text } from './values.ts';

const principalSource = object(
  'PrincipalSource',
  'Where a request carries the value.',
  {
    optional: {
      header: object('HeaderSource', 'A request header; a secret, hashed at the border.', {
        required: { name: headerName('Name of the header.') },
      }),
      cookie: object('CookieSource', 'A cookie; a secret, hashed at the border.', {
        required: {
          name: headerName('Name of the cookie.'),
        },
      }),
      jwtClaim: object(
        'JwtClaimSource',
        'A claim of a bearer token. It counts as unverified unless Envoy vouches for the token: such an identity is watched, never blamed or matched on its own.',
        {
          required: { claim: text('Path of the claim in the payload, dots between levels, for example sub.', 128) },
          optional: { header: { ...headerName('Header that carries the token.'), default: 'authorization' } },
        },
      ),
      clientCertificate: object(
        'ClientCertificateSource',
        'The client certificate that Envoy verified: its subject alternative name, else its subject.',
        {},
      ),
      dynamicMetadata: object(
        'DynamicMetadataSource',
        'Metadata that an Envoy filter set, for example the payload of a token that jwt_authn verified.',
        {
          required: {
            namespace: text('Metadata namespace, for example envoy.filters.http.jwt_authn.', 128),
            path: text('Path in the metadata, slashes between levels, for example payload/sub.', 256),
          },
        },
      ),
    },
  },
  { rules: [exactlyOneOf('header', 'cookie', 'jwtClaim', 'clientCertificate', 'dynamicMetadata')] },
);

/** How one kind of principal is read from a request. */
export const principal = object(
  'PrincipalRule',
  'How one kind of principal is read from a request.',
  {
    required: {
      kind: enumeration(
        'RequestPrincipalKind',
        'Kind of the principal. Address and network need no rule, campaigns are found.',
        principalKinds.filter((kind) => !['Address', 'Network', 'Campaign'].includes(kind)),
      ),
      from: principalSource,
    },
    optional: {
      enforceAs: object(
        'EnforceAs',
        'What of the value Envoy may match. Left out, the principal is watched and Picket acts through its address, device or campaign (NoSafeMatchKey).',
        {
          optional: {
            value: boolean('The whole value: it is verified and no secret.', {
              rules: [{ rule: 'self', message: 'must be true; leave enforceAs out to forbid matching' }],
            }),
            prefix: integer('This many leading characters, which are no secret.', { minimum: 4, maximum: 64 }),
          },
        },
        { rules: [exactlyOneOf('value', 'prefix')] },
      ),
    },
  },
  {
    rules: [
      {
        rule: '!has(self.enforceAs) || !has(self.from.cookie)',
        message: 'a cookie is a secret: it is watched, never a match key; remove enforceAs',
        fieldPath: '.enforceAs',
        reason: 'FieldValueForbidden',
      },
    ],
  },
);
