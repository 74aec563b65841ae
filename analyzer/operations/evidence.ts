/** How much an answer says about whether its path exists. */

/**
 * Answers of one path that must be seen before it becomes an operation; 0 = this answer proves nothing, however often.
 * Blanket redirects and refusals answer every path alike, so they must repeat on the same path, which scanners do not.
 */
export function answersNeeded(status: number): number {
  if (status >= 200 && status < 300) return 1;
  switch (status) {
    case 304:
    case 402:
    case 409:
    case 412:
    case 415:
    case 422:
    case 428:
      return 1;
    case 302:
    case 303:
    case 307:
      return 2;
    case 0:
    case 301:
    case 308:
    case 400:
    case 401:
    case 403:
    case 405:
    case 406:
    case 413:
    case 429:
    case 500:
      return 5;
    default:
      return 0;
  }
}
