/** Names that the operator writes into Envoy's access log configuration and the analyzer reads in its entries. */

/** Custom tag that carries the JA4 fingerprint, `%TLS_JA4_FINGERPRINT%`. */
export const JA4_CUSTOM_TAG = 'picket.ja4';
