/**
 * A look at YAML before it is parsed. The parser takes many seconds for two megabytes of nested brackets, anchors or
 * empty documents; reading the tokens alone takes a fraction of one.
 */
import { Lexer } from 'yaml';

const limits = {
  /** Brackets and braces inside each other. */
  depth: 64,
  /** `- - -` and `? ? ?` on one line: each nests. */
  indicatorsPerLine: 32,
  documents: 1000,
  anchorsAndAliases: 1000,
  tokens: 600_000,
} as const;

/** Why the text must not be parsed, with the offset where it passes the limit; undefined = it may be. */
export function exceedsYamlLimits(text: string): { message: string; offset: number } | undefined {
  let offset = 0;
  let depth = 0;
  let indicators = 0;
  let documents = 1;
  let references = 0;
  let tokens = 0;
  const beyond = (what: string, most: number) => ({ message: `more than ${most} ${what}`, offset });
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    const [first] = token;
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    else if (token === '-' || token === '?') indicators += 1;
    else if (token === '---') documents += 1;
    else if (token.length > 1 && (first === '&' || first === '*')) references += 1;
    else if (token.includes('\n')) indicators = 0;
    if (depth > limits.depth) return beyond('brackets inside each other', limits.depth);
    if (indicators > limits.indicatorsPerLine) return beyond('list marks on one line', limits.indicatorsPerLine);
    if (documents > limits.documents) return beyond('documents; split the file', limits.documents);
    if (references > limits.anchorsAndAliases) return beyond('anchors and aliases', limits.anchorsAndAliases);
    if (tokens > limits.tokens) return beyond('parts; split the file', limits.tokens);
    // Control characters of the lexer (document mode, end of a flow, start of a scalar) stand for no text.
    if (first !== '\u0002' && first !== '\u0018' && first !== '\u001f') offset += token.length;
  }
  return undefined;
}
