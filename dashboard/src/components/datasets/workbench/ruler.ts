// Where the chunks of a caption end in its text.

export interface Piece {
  text: string;
  /** Tokens from the beginning of the caption to the end of the piece. */
  n_tokens: number;
  /** It lies behind the last token that is read. */
  isCut: boolean;
}

/** The text between borders.
 *
 * `borders` count characters as Unicode code points, as the API does; `chunks` are the tokens of each piece. A caption is
 * read to `max_tokens`. */
export function piecesOf(
  text: string,
  chunks: readonly number[],
  borders: readonly number[],
  max_tokens: number,
): Piece[] {
  const letters = Array.from(text);
  let n_tokens = 0;
  let from = 0;
  return chunks.map((n, index) => {
    const isCut = n_tokens >= max_tokens;
    const to = borders[index] ?? letters.length;
    const piece = letters.slice(from, to).join("");
    n_tokens += n;
    from = to;
    return { text: piece, n_tokens, isCut };
  });
}
