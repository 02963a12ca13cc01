package dev.panatune.text;

/**
 * Finds expressions that backtrack without end: the native library ends the process when one passes
 * its limit of retries.
 *
 * <p>Refused are a repeated group that holds a repetition, an option or alternatives, and more than
 * three unbounded repetitions in one alternative. No expression of a known model has either.
 */
final class RegexBounds {
  private static final int MOST_REPETITIONS = 3;
  private static final int DEEPEST = 20;

  private final String regex;
  private int position;

  private RegexBounds(String regex) {
    this.regex = regex;
  }

  /** What a part of an expression holds. */
  private record Part(boolean varies, int repetitions) {}

  /** A quantifier: how often it lets its part come. */
  private enum Quantifier {
    ONCE,
    OPTIONAL,
    COUNTED,
    RANGE,
    UNBOUNDED
  }

  static boolean holds(String regex) {
    RegexBounds bounds = new RegexBounds(regex);
    try {
      bounds.alternatives(0);
      return bounds.position == regex.length();
    } catch (Unbounded | StringIndexOutOfBoundsException e) {
      return false;
    }
  }

  private static final class Unbounded extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private Part alternatives(int depth) {
    require(depth < DEEPEST);
    Part whole = sequence(depth);
    while (peek('|')) {
      position++;
      Part other = sequence(depth);
      whole = new Part(true, Math.max(whole.repetitions(), other.repetitions()));
    }
    return whole;
  }

  private Part sequence(int depth) {
    boolean varies = false;
    int repetitions = 0;
    while (position < regex.length() && !peek('|') && !peek(')')) {
      Part atom = atom(depth);
      Quantifier quantifier = quantifier();
      boolean simple = !atom.varies() && atom.repetitions() == 0;
      switch (quantifier) {
        case ONCE -> {}
        case OPTIONAL -> varies = true;
        case COUNTED -> require(simple);
        case RANGE -> {
          require(simple);
          varies = true;
        }
        case UNBOUNDED -> {
          require(simple);
          repetitions++;
        }
      }
      varies |= atom.varies();
      repetitions += atom.repetitions();
      require(repetitions <= MOST_REPETITIONS);
    }
    return new Part(varies, repetitions);
  }

  private Part atom(int depth) {
    char c = regex.charAt(position++);
    switch (c) {
      case '\\' -> escape();
      case '[' -> characterClass(depth);
      case '(' -> {
        groupOpening();
        Part inner = alternatives(depth + 1);
        require(peek(')'));
        position++;
        return inner;
      }
      default -> {}
    }
    return new Part(false, 0);
  }

  private void escape() {
    char c = regex.charAt(position++);
    boolean braces = c == 'p' || c == 'P' || c == 'x' || c == 'u';
    if (braces && peek('{')) {
      position = regex.indexOf('}', position) + 1;
      require(position > 0);
    }
  }

  private void characterClass(int depth) {
    require(depth < DEEPEST);
    if (peek('^')) {
      position++;
    }
    boolean first = true;
    while (first || !peek(']')) {
      char c = regex.charAt(position++);
      if (c == '\\') {
        escape();
      } else if (c == '[') {
        characterClass(depth + 1);
      }
      first = false;
    }
    position++;
  }

  /** After the parenthesis: {@code ?:}, {@code ?=}, {@code ?!}, {@code ?i:}, ... */
  private void groupOpening() {
    if (!peek('?')) {
      return;
    }
    position++;
    while (":=!>".indexOf(regex.charAt(position)) < 0) {
      require(regex.charAt(position) != ')');
      position++;
    }
    position++;
  }

  private Quantifier quantifier() {
    Quantifier result;
    if (peek('?')) {
      position++;
      result = Quantifier.OPTIONAL;
    } else if (peek('+') || peek('*')) {
      position++;
      result = Quantifier.UNBOUNDED;
    } else if (peek('{')) {
      int end = regex.indexOf('}', position);
      require(end > 0);
      String count = regex.substring(position + 1, end);
      position = end + 1;
      result =
          count.matches("\\d{1,3}")
              ? Quantifier.COUNTED
              : count.matches("\\d{0,3},\\d{1,3}") ? Quantifier.RANGE : Quantifier.UNBOUNDED;
      require(!peek('+') && !peek('*'));
    } else {
      return Quantifier.ONCE;
    }
    if (peek('?') || peek('+')) {
      position++;
    }
    require(!peek('?') && !peek('+') && !peek('*') && !peek('{'));
    return result;
  }

  private boolean peek(char c) {
    return position < regex.length() && regex.charAt(position) == c;
  }

  private static void require(boolean condition) {
    if (!condition) {
      throw new Unbounded();
    }
  }
}
