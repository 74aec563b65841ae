/** The known name that a person most likely meant, or undefined when none is close. */
export function closestName(given: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  // A third of the letters may differ: enough for a slip of the finger, too little to guess another word.
  let bestDistance = Math.floor(Math.max(given.length, 3) / 3) + 1;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase().slice(0, 64), name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
