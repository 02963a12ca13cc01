package dev.panatune.text;

import java.util.Arrays;

/**
 * Turns tokens into text as they come. What {@link #append} gives never ends within a character,
 * and all parts together are what decoding all tokens at once gives. For one thread.
 */
public final class StreamingDecoder {
  private static final char REPLACEMENT = '\ufffd';

  private final Tokenizer tokenizer;
  private final boolean skipSpecialTokens;
  private int[] ids = new int[64];
  private int count;

  /** Tokens from here on are decoded again, so that the next ones have something before them. */
  private int context;

  /** Tokens up to here have been given out. */
  private int given;

  StreamingDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
    this.tokenizer = tokenizer;
    this.skipSpecialTokens = skipSpecialTokens;
  }

  /** Takes the next token and returns the text that is complete now, which may be empty. */
  public String append(int id) {
    if (count == ids.length) {
      ids = Arrays.copyOf(ids, 2 * count);
    }
    ids[count++] = id;
    String text = decode(context, count);
    if (text.isEmpty() || text.charAt(text.length() - 1) == REPLACEMENT) {
      return "";
    }
    return give(text);
  }

  /** Returns what is left after the last token, broken characters as the replacement character. */
  public String finish() {
    return give(decode(context, count));
  }

  private String give(String text) {
    String before = decode(context, given);
    context = given;
    given = count;
    return text.substring(Math.min(before.length(), text.length()));
  }

  private String decode(int from, int to) {
    return tokenizer.decode(Arrays.copyOfRange(ids, from, to), skipSpecialTokens);
  }
}
