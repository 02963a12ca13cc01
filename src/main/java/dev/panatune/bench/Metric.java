package dev.panatune.bench;

import java.util.Optional;
import java.util.function.Function;

/**
 * A number of the report.
 *
 * @param key its name in JSON
 * @param title its column's
 * @param value of a side; empty where the side has none
 * @param format of the number, once divided by the unit
 * @param unit what a printed 1 stands for
 * @param ratio how ours is compared with a peer's
 */
record Metric(
    String key,
    String title,
    Function<Measured, Optional<Spread>> value,
    String format,
    double unit,
    Ratio ratio) {

  static final double MB = 1e6;

  /** Which way a ratio is told. */
  enum Ratio {
    NONE,
    /** Theirs over ours: how many times as fast. */
    SPEEDUP,
    /** Ours over theirs, of what is to be large: how many times as fast. */
    RATE,
    /** Ours over theirs, of what is to be small. */
    SHARE
  }

  /** A number as the sides tell it. */
  static Metric told(String key, String title, String format, double unit, Ratio ratio) {
    return new Metric(key, title, side -> side.spread(key), format, unit, ratio);
  }

  /** The cell of a side: the median, and the spread where it was measured more than once. */
  String cell(Measured side) {
    return value
        .apply(side)
        .map(spread -> {
          String median = format.formatted(spread.median() / unit);
          return spread.count() == 1
              ? median
              : "%s (%s-%s)"
                  .formatted(
                      median,
                      format.formatted(spread.least() / unit),
                      format.formatted(spread.greatest() / unit));
        })
        .orElse("-");
  }

  /** The ratio of medians; empty where there is none to tell. */
  Optional<Double> ratio(Measured ours, Measured peer) {
    if (ratio == Ratio.NONE) {
      return Optional.empty();
    }
    return value
        .apply(ours)
        .flatMap(mine ->
            value
                .apply(peer)
                .map(theirs ->
                    ratio == Ratio.SPEEDUP
                        ? theirs.median() / mine.median()
                        : mine.median() / theirs.median()));
  }

  /** A ratio in words: "step 3.40x", "peak RSS 0.35 of its". */
  String words(double value) {
    String noun = title.replaceAll(" (s|ns|MB|tokens/s)$", "");
    return ratio == Ratio.SHARE
        ? "%s %.2f of its".formatted(noun, value)
        : "%s %.2fx as fast".formatted(noun, value);
  }
}
