package dev.panatune.text;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A text, or two that belong together, in at most so many tokens: transformers' {@code
 * truncation=True}. The tokens that the tokenizer adds stay; the texts are cut at the right, of two
 * the longer one first.
 *
 * @param ids the tokens, added ones among them
 * @param whole how many there would be without a limit
 */
public record LongestFirst(int[] ids, int whole) {

  /**
   * Encodes.
   *
   * @param given the second text, if there is one; as in transformers, an empty one is none
   * @param longest the most tokens
   * @throws ConfigurationException if the tokenizer adds as many itself
   */
  public static LongestFirst encode(
      Tokenizer tokenizer, String text, Optional<String> given, int longest) {
    Optional<String> pair = given.filter(second -> !second.isEmpty());
    int[] whole =
        pair.map(second -> tokenizer.encodePair(text, second, true))
            .orElseGet(() -> tokenizer.encode(text, true));
    if (whole.length <= longest) {
      return new LongestFirst(whole, whole.length);
    }
    int[] first = tokenizer.encode(text, false);
    int[] second = pair.map(it -> tokenizer.encode(it, false)).orElse(new int[0]);
    int room = longest - (whole.length - first.length - second.length);
    if (room < 1) {
      throw new ConfigurationException(
          "max_length is %d, and the tokenizer adds %d tokens to a text"
              .formatted(longest, longest - room));
    }
    int[] kept = pair.isPresent() ? shares(first.length, second.length, room) : new int[] {room, 0};
    int[] ids =
        IntStream.range(0, whole.length)
            .filter(places(whole, first, second, kept)::get)
            .map(place -> whole[place])
            .toArray();
    return new LongestFirst(ids, whole.length);
  }

  /** How much of each is kept, as the tokenizers library shares it out. */
  private static int[] shares(int first, int second, int room) {
    int less = Math.min(first, second);
    int more = less > room ? less : Math.max(less, room - less);
    if (less + more > room) {
      less = room / 2;
      more = room - less;
    }
    return first > second ? new int[] {more, less} : new int[] {less, more};
  }

  /** The places that are kept: all but the ends of the two texts, wherever these stand. */
  private static BitSet places(int[] whole, int[] first, int[] second, int[] kept) {
    int start = place(whole, first, 0);
    int next = place(whole, second, start + first.length);
    BitSet places = new BitSet(whole.length);
    places.set(0, whole.length);
    places.clear(start + Math.min(kept[0], first.length), start + first.length);
    places.clear(next + Math.min(kept[1], second.length), next + second.length);
    return places;
  }

  private static int place(int[] whole, int[] part, int from) {
    for (int start = from; start + part.length <= whole.length; start++) {
      if (Arrays.equals(whole, start, start + part.length, part, 0, part.length)) {
        return start;
      }
    }
    throw new PanatuneException(
        "the tokenizer gives a text other tokens where it adds its own, so that it cannot be cut");
  }
}
