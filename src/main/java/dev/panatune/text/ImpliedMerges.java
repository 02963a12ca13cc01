package dev.panatune.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The merges of a vocabulary that lists scores instead: the token of the best score comes first.
 */
final class ImpliedMerges {
  private ImpliedMerges() {}

  private record Merge(String left, String right, double score) {
    private static final Comparator<Merge> BEST_FIRST =
        Comparator.comparingDouble(Merge::score)
            .thenComparingInt(merge -> length(merge.left))
            .thenComparingInt(merge -> length(merge.right))
            .reversed();

    private static int length(String text) {
      return text.codePointCount(0, text.length());
    }

    List<String> pair() {
      return List.of(left, right);
    }
  }

  /**
   * The merges that the file lists, or those that scores imply.
   *
   * @param tokens by id, spelled as the tokenizer spells them
   * @param scores of the tokens; may be shorter, then 0
   */
  static List<List<String>> of(GgufVocabulary vocabulary, List<String> tokens, double[] scores) {
    if (!vocabulary.merges().isEmpty()) {
      return vocabulary.merges().stream().map(merge -> List.of(merge.split(" ", 2))).toList();
    }
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      ids.put(tokens.get(id), id);
    }
    List<Merge> merges = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      merges.addAll(ways(tokens.get(id), id < scores.length ? scores[id] : 0, ids));
    }
    merges.sort(Merge.BEST_FIRST);
    return merges.stream().map(Merge::pair).toList();
  }

  /** All ways to make a token of two others. */
  private static List<Merge> ways(String token, double score, Map<String, Integer> ids) {
    List<Merge> ways = new ArrayList<>();
    for (int cut = 1; cut < token.length(); cut++) {
      String left = token.substring(0, cut);
      String right = token.substring(cut);
      if (ids.containsKey(left) && ids.containsKey(right)) {
        ways.add(new Merge(left, right, score));
      }
    }
    ways.sort(
        Comparator.comparingInt((Merge way) -> ids.get(way.left()))
            .thenComparingInt(way -> ids.get(way.right())));
    return ways;
  }
}
