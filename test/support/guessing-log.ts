const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const spanMs = 6_600_000;

/**
 * Forty people who log in and browse, and one address that guesses towards the end; a failed login shows the form again.
 *
 * @param endsAt no line is later, Unix ms; a risk fades, so whoever asks for it wants a log that ended just now
 */
export function guessingLog(endsAt: number): string {
  const startsAt = Math.floor(endsAt / 1000) * 1000 - spanMs;
  const lines: [atMs: number, text: string][] = [];
  const add = (atMs: number, address: string, request: string, status: number, bytes: number, agent: string): void => {
    const [date = '', time = ''] = new Date(atMs).toISOString().slice(0, 19).split('T');
    const [year, month, day] = date.split('-');
    lines.push([
      atMs,
      `${address} - - [${day}/${months[Number(month) - 1]}/${year}:${time} +0000] "${request} HTTP/1.1" ${status} ${bytes} "-" "${agent}"`,
    ]);
  };
  for (let person = 0; person < 40; person++) {
    let atMs = startsAt + person * 150_000;
    const address = `203.0.113.${person + 1}`;
    const agent = `Mozilla/5.0 (X11; Linux x86_64) Firefox/${140 + (person % 5)}.0`;
    add(atMs, address, 'POST /login', 302, 0, agent);
    for (let page = 0; page < 15; page++) {
      atMs += 3_000 + ((person * 7919 + page * 104_729) % 37_000);
      add(atMs, address, `GET /products/${(person * 31 + page * 17) % 400}`, 200, 4_000 + page, agent);
    }
  }
  for (let guess = 0; guess < 120; guess++)
    add(startsAt + 6_300_000 + guess * 2_000, '198.51.100.7', 'POST /login', 200, 1_312, 'python-requests/2.31');
  return `${lines
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text)
    .join('\n')}\n`;
}
