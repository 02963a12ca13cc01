package dev.panatune.data;

/**
 * What became of the rows of a data set when they were encoded.
 *
 * @param rows rows read
 * @param truncated rows longer than the maximum, cut at the right
 * @param dropped rows left without a token to learn, and so left out
 * @param tokens tokens of the rows that stayed
 * @param targetTokens those of them that are learnt
 * @param longest tokens of the longest row before it was cut
 * @param maxLength the maximum
 * @param classes whether what is learnt of a row is its class
 */
public record EncodingReport(
    int rows,
    int truncated,
    int dropped,
    long tokens,
    long targetTokens,
    int longest,
    int maxLength,
    boolean classes) {

  /** The report of rows whose tokens are learnt. */
  public EncodingReport(
      int rows,
      int truncated,
      int dropped,
      long tokens,
      long targetTokens,
      int longest,
      int maxLength) {
    this(rows, truncated, dropped, tokens, targetTokens, longest, maxLength, false);
  }

  /** One line for a person: counts, and what was cut or left out. */
  public String summary() {
    StringBuilder text = new StringBuilder();
    text.append("%,d rows, %,d tokens".formatted(rows - dropped, tokens));
    if (!classes) {
      text.append(", %,d of them learnt".formatted(targetTokens));
    }
    if (truncated > 0) {
      text.append(
          "; %,d of %,d cut to max_length %d (the longest has %,d tokens)"
              .formatted(truncated, rows, maxLength, longest));
    }
    if (dropped > 0) {
      text.append("; %,d dropped, no token to learn left".formatted(dropped));
    }
    return text.toString();
  }
}
