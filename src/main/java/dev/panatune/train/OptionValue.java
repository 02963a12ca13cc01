package dev.panatune.train;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The value of an option as a YAML file or a command line gave it, and what it is to be read as.
 *
 * @param name the option's name
 * @param value a Boolean, Number or String
 */
record OptionValue(String name, Object value) {

  boolean flag() {
    return switch (value) {
      case Boolean flag -> flag;
      case String text when text.equalsIgnoreCase("true") -> true;
      case String text when text.equalsIgnoreCase("false") -> false;
      default -> throw wrong("true or false");
    };
  }

  /** A number; YAML 1.1 reads 5e-4 (without a point) as text, so text that is a number is one. */
  double number() {
    try {
      return switch (value) {
        case Number number -> number.doubleValue();
        case String text -> Double.parseDouble(text.strip());
        default -> throw wrong("a number");
      };
    } catch (NumberFormatException e) {
      throw wrong("a number");
    }
  }

  int integer() {
    long whole = whole();
    if (whole != (int) whole) {
      throw wrong("a whole number of at most " + Integer.MAX_VALUE);
    }
    return (int) whole;
  }

  long whole() {
    if (value instanceof Integer || value instanceof Long) {
      return ((Number) value).longValue();
    }
    double number = number();
    if (number != Math.rint(number) || Math.abs(number) > 1L << 53) {
      throw wrong("a whole number");
    }
    return (long) number;
  }

  String text() {
    if (value instanceof String text) {
      return text;
    }
    throw wrong("text");
  }

  /** One of the words of {@code type}; the words of {@code refused} are named as not supported. */
  <E extends Enum<E>> E choice(Class<E> type, List<String> refused) {
    // An unquoted no is a boolean in YAML 1.1, and the word for "never" in these options.
    String word = Boolean.FALSE.equals(value) ? "no" : text().toLowerCase(Locale.ROOT);
    for (E constant : type.getEnumConstants()) {
      if (TrainingOptions.word(constant).equals(word)) {
        return constant;
      }
    }
    List<String> known = Arrays.stream(type.getEnumConstants()).map(TrainingOptions::word).toList();
    if (refused.contains(word)) {
      throw new ConfigurationException(
          name + ": '" + word + "' is not supported yet; choose one of " + known);
    }
    String hint =
        Suggestion.nearest(word, known).map(near -> "; did you mean '" + near + "'?").orElse("");
    throw new ConfigurationException(
        name + ": '" + word + "' is unknown; it must be one of " + known + hint);
  }

  private ConfigurationException wrong(String expected) {
    return new ConfigurationException(
        name
            + " is "
            + (value instanceof String ? "'" + value + "'" : String.valueOf(value))
            + (value == null ? "" : " (" + value.getClass().getSimpleName() + ")")
            + "; it must be "
            + expected);
  }
}
