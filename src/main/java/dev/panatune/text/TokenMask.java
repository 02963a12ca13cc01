package dev.panatune.text;

import java.util.List;

/** Which tokens lie in given parts of a text. */
final class TokenMask {
  private TokenMask() {}

  /**
   * True for each token that holds a character of one of the spans.
   *
   * <p>A tokenizer may leave white space out of a token's place; a token is taken to begin where
   * the one before it ends.
   */
  static boolean[] of(Encoding encoding, List<AnswerSpan> spans) {
    boolean[] inside = new boolean[encoding.ids().length];
    int covered = 0;
    for (int i = 0; i < inside.length; i++) {
      int start = Math.min(encoding.starts()[i], covered);
      int end = encoding.ends()[i];
      covered = Math.max(covered, end);
      inside[i] = spans.stream().anyMatch(span -> end > span.start() && start < span.end());
    }
    return inside;
  }
}
