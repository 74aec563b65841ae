/** One line on a terminal that is written over; on anything else, nothing. */
export interface Progress {
  show(text: string): void;
  end(): void;
}

export function createProgress(out: { isTTY?: boolean; columns?: number; write(text: string): unknown }): Progress {
  if (!out.isTTY) return { show: () => {}, end: () => {} };
  return {
    show: (text) => void out.write(`\r\u001b[2K${text.slice(0, (out.columns ?? 80) - 1)}`),
    end: () => void out.write('\r\u001b[2K'),
  };
}
