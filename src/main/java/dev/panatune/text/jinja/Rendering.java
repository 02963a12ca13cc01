package dev.panatune.text.jinja;

import java.util.List;

/**
 * What a template gave.
 *
 * @param text the text
 * @param generated what the template marked with {@code {% generation %}}, in order
 */
public record Rendering(String text, List<Span> generated) {
  /**
   * A part of the text, in UTF-16 units.
   *
   * @param start where it begins
   * @param end where it ends, exclusive
   * @param exact false when the marks stand inside a macro or a captured block: then the place in
   *     the text is not known
   */
  public record Span(int start, int end, boolean exact) {}
}
