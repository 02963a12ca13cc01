package dev.panatune.text.jinja;

/** Where statements write to: the rendered text itself, or the text of a macro or a block. */
final class Output {
  private final StringBuilder text = new StringBuilder();
  private final Budget budget;
  private final boolean root;

  private Output(Budget budget, boolean root) {
    this.budget = budget;
    this.root = root;
  }

  static Output root(Budget budget) {
    return new Output(budget, true);
  }

  Output buffer() {
    return new Output(budget, false);
  }

  /** Whether this is the rendered text itself. */
  boolean isRoot() {
    return root;
  }

  void append(String part) {
    budget.characters(part.length());
    text.append(part);
  }

  int length() {
    return text.length();
  }

  String text() {
    return text.toString();
  }
}
