package dev.panatune.text.jinja;

import java.time.Duration;

/**
 * What one rendering may use. Templates come with models from outside, so none may run forever or
 * fill the heap.
 *
 * @param steps evaluated nodes and visited elements
 * @param characters characters of all strings that are made, output included
 * @param depth nesting of statements, expressions, calls and values
 * @param time wall-clock time
 */
public record Limits(long steps, long characters, int depth, Duration time) {
  /** Far above what any chat template needs: 20 million steps, 64 million characters, 10 s. */
  public static final Limits DEFAULT =
      new Limits(20_000_000, 64_000_000, 400, Duration.ofSeconds(10));
}
