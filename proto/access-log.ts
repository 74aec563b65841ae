/** Names that the operator writes into Envoy's access log configuration and the analyzer reads in its entries. */

/** Custom tag that carries the JA4 fingerprint, `%TLS_JA4_FINGERPRINT%`. */
export const JA4_CUSTOM_TAG = 'picket.ja4';

/**
 * Request headers whose presence tells clients apart. Picket's configuration of Envoy logs them all; the analyzer keeps
 * one bit for each, in this order: the low 16 bits of a shape say present, the high 16 reported on.
 */
export const shapeHeaders = [
  'accept',
  'accept-language',
  'accept-encoding',
  'referer',
  'origin',
  'cookie',
  'x-requested-with',
  'sec-fetch-site',
  'sec-ch-ua',
  'content-type',
  'authorization',
  'x-forwarded-for',
  'cache-control',
  'dnt',
  'upgrade-insecure-requests',
  'te',
] as const;
