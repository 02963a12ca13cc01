package dev.panatune.text.jinja;

/** Counts what one rendering uses and stops it at its {@link Limits}. */
final class Budget {
  private static final long CLOCK_INTERVAL = 1024;

  private final Limits limits;
  private final long deadline;
  private long steps;
  private long characters;
  private int depth;

  Budget(Limits limits) {
    this.limits = limits;
    this.deadline = System.nanoTime() + limits.time().toNanos();
  }

  /** One node is evaluated or one element visited. */
  void step() {
    if (++steps > limits.steps()) {
      throw JinjaException.limit("the template does more than " + limits.steps() + " steps");
    }
    if (steps % CLOCK_INTERVAL == 0 && System.nanoTime() > deadline) {
      throw JinjaException.limit("the template runs for more than " + limits.time());
    }
  }

  /** Many elements are visited or made at once. */
  void steps(long count) {
    if (count > limits.steps()) {
      throw JinjaException.limit("the template does more than " + limits.steps() + " steps");
    }
    steps += Math.max(0, count - 1);
    step();
  }

  /** A string of this length is about to be made: asked before the memory is taken. */
  void characters(long count) {
    characters += count;
    if (count > limits.characters() || characters > limits.characters()) {
      throw JinjaException.limit(
          "the template makes more than " + limits.characters() + " characters");
    }
  }

  String made(String text) {
    characters(text.length());
    return text;
  }

  void enter() {
    if (++depth > limits.depth()) {
      throw JinjaException.limit("the template nests deeper than " + limits.depth());
    }
  }

  void leave() {
    depth--;
  }

  /** How deep values may nest, for those who walk through them. */
  int maxDepth() {
    return limits.depth();
  }
}
