package dev.panatune.generate;

import java.util.List;

/**
 * Passes text on as it grows, but never a stop string or what may yet become one: text is held back
 * as long as its end is the beginning of a stop string.
 */
final class StopStrings {
  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private boolean stopped;

  StopStrings(List<String> stops) {
    this.stops = stops;
  }

  /** Takes new text and returns what is certain now, possibly nothing. */
  String append(String text) {
    if (stopped) {
      return "";
    }
    held.append(text);
    int end = firstStop();
    if (end >= 0) {
      stopped = true;
      return take(end);
    }
    return take(held.length() - longestBeginning());
  }

  /** Returns what was held back, now that no more text comes. */
  String finish() {
    return stopped ? "" : take(held.length());
  }

  /** Returns whether a stop string has come up. */
  boolean stopped() {
    return stopped;
  }

  private int firstStop() {
    return stops.stream().mapToInt(held::indexOf).filter(at -> at >= 0).min().orElse(-1);
  }

  /** The length of the longest end of the text that is the beginning of a stop string. */
  private int longestBeginning() {
    int longest = 0;
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, held.length()); n > longest; n--) {
        if (stop.startsWith(held.substring(held.length() - n))) {
          longest = n;
        }
      }
    }
    return longest;
  }

  private String take(int count) {
    String text = held.substring(0, count);
    held.delete(0, count);
    return text;
  }
}
