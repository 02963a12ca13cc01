package dev.panatune.error;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;

/** Finds what was probably meant by a word that is not known. */
public final class Suggestion {
  private Suggestion() {}

  /**
   * Returns the known word that is nearest to {@code word}, if one is near enough to be a slip: at
   * most a third of its letters (and at least one, where it has two or more) changed, added, left
   * out or swapped with their neighbour. Upper and lower case, and {@code -} and {@code _}, count
   * as the same. Of equally near words the first in the collection's order is returned.
   */
  public static Optional<String> nearest(String word, Collection<String> known) {
    String wanted = normalise(word);
    String best = null;
    int bestDistance = Integer.MAX_VALUE;
    for (String candidate : known) {
      String normalised = normalise(candidate);
      int distance = distance(wanted, normalised);
      if (distance < bestDistance && distance <= slack(wanted, normalised)) {
        best = candidate;
        bestDistance = distance;
      }
    }
    return Optional.ofNullable(best);
  }

  private static String normalise(String word) {
    return word.toLowerCase(Locale.ROOT).replace('-', '_');
  }

  private static int slack(String a, String b) {
    int length = Math.max(a.length(), b.length());
    return length < 2 ? 0 : Math.max(1, length / 3);
  }

  /** Edit distance that counts a swap of neighbours as one (optimal string alignment). */
  private static int distance(String a, String b) {
    int[][] cost = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      cost[i][0] = i;
    }
    for (int j = 0; j <= b.length(); j++) {
      cost[0][j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      for (int j = 1; j <= b.length(); j++) {
        int replaced = cost[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        int least = Math.min(replaced, Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
        boolean swapped =
            i > 1
                && j > 1
                && a.charAt(i - 1) == b.charAt(j - 2)
                && a.charAt(i - 2) == b.charAt(j - 1);
        cost[i][j] = swapped ? Math.min(least, cost[i - 2][j - 2] + 1) : least;
      }
    }
    return cost[a.length()][b.length()];
  }
}
