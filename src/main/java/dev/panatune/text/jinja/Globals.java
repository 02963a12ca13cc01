package dev.panatune.text.jinja;

import java.time.Clock;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions that every chat template has. */
final class Globals {
  private Globals() {}

  static Map<String, Object> of(Budget budget, Clock clock) {
    return Map.of(
        "range", (Callable) Globals::range,
        "namespace", (Callable) arguments -> namespace(arguments, budget),
        "dict", (Callable) arguments -> dict(arguments, budget),
        "raise_exception", (Callable) arguments -> raise(arguments, budget),
        "strftime_now", (Callable) arguments -> strftime(arguments, clock),
        "lipsum", leftOut("lipsum"),
        "cycler", leftOut("cycler"),
        "joiner", leftOut("joiner"));
  }

  private static Callable leftOut(String name) {
    return arguments -> {
      throw JinjaException.type(name + "() is not supported in chat templates");
    };
  }

  private static Object range(Arguments arguments) {
    if (arguments.positional().size() == 1) {
      return Range.of(0, arguments.bind("range", "stop", Arguments.REQUIRED).integer(0), 1);
    }
    Arguments.Bound bound =
        arguments.bind(
            "range", "start", Arguments.REQUIRED, "stop", Arguments.REQUIRED, "step", 1L);
    return Range.of(bound.integer(0), bound.integer(1), bound.integer(2));
  }

  private static Object namespace(Arguments arguments, Budget budget) {
    Namespace namespace = new Namespace();
    entries(arguments, budget)
        .forEach((name, value) -> namespace.set(Representation.str(name, budget), value));
    return namespace;
  }

  private static Object dict(Arguments arguments, Budget budget) {
    return entries(arguments, budget);
  }

  /** What {@code dict(mapping or pairs, name=value, ...)} holds. */
  private static Map<Object, Object> entries(Arguments arguments, Budget budget) {
    Map<Object, Object> entries = new LinkedHashMap<>();
    if (arguments.positional().size() > 1) {
      throw JinjaException.type("dict expected at most 1 argument");
    }
    for (Object source : arguments.positional()) {
      if (source instanceof Map<?, ?> map) {
        entries.putAll(map);
      } else {
        for (Object pair : PythonValue.toList(source, budget)) {
          List<Object> items = PythonValue.toList(pair, budget);
          if (items.size() != 2) {
            throw JinjaException.type("dict() needs pairs of key and value");
          }
          entries.put(PythonValue.key(items.get(0)), items.get(1));
        }
      }
    }
    entries.putAll(arguments.named());
    return entries;
  }

  private static Object raise(Arguments arguments, Budget budget) {
    Object message = arguments.bind("raise_exception", "message", Arguments.REQUIRED).value(0);
    throw new JinjaException(JinjaException.Kind.RAISED, Representation.str(message, budget));
  }

  private static Object strftime(Arguments arguments, Clock clock) {
    String format = arguments.bind("strftime_now", "format", Arguments.REQUIRED).text(0);
    return DateFormat.format(format, LocalDateTime.now(clock));
  }
}
