package dev.panatune.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;

/** map, select, reject, selectattr and rejectattr. */
final class SelectingFilters {
  private final Budget budget;
  private final Attributes attributes;
  private final Predicates predicates;
  private final Filters filters;

  SelectingFilters(Budget budget, Attributes attributes, Predicates predicates, Filters filters) {
    this.budget = budget;
    this.attributes = attributes;
    this.predicates = predicates;
    this.filters = filters;
  }

  void addTo(Map<String, Filters.Filter> all) {
    all.put("map", this::map);
    all.put("select", (value, arguments) -> select(value, arguments, false, true));
    all.put("reject", (value, arguments) -> select(value, arguments, false, false));
    all.put("selectattr", (value, arguments) -> select(value, arguments, true, true));
    all.put("rejectattr", (value, arguments) -> select(value, arguments, true, false));
  }

  private Object map(Object value, Arguments arguments) {
    Function<Object, Object> function;
    if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
      Arguments.Bound bound =
          arguments.bind("map", "attribute", Arguments.REQUIRED, "default", null);
      function = AttributePath.of(bound.value(0), bound.value(1), false, attributes, budget);
    } else if (arguments.positional().isEmpty()) {
      throw JinjaException.type("map requires a filter argument");
    } else {
      String name = Representation.str(arguments.positional().getFirst(), budget);
      function = item -> filters.apply(name, item, arguments.skip(1));
    }
    List<Object> result = new ArrayList<>();
    for (Object item : elements(value)) {
      result.add(function.apply(item));
    }
    return new Generator(result);
  }

  private Object select(Object value, Arguments arguments, boolean byAttribute, boolean keeps) {
    Function<Object, Object> getter = item -> item;
    Arguments rest = arguments;
    if (byAttribute) {
      if (arguments.positional().isEmpty()) {
        throw JinjaException.type("Missing parameter for attribute name");
      }
      getter = AttributePath.of(arguments.positional().getFirst(), null, false, attributes, budget);
      rest = arguments.skip(1);
    }
    Predicate<Object> test = PythonValue::isTrue;
    if (!rest.positional().isEmpty()) {
      String name = Representation.str(rest.positional().getFirst(), budget);
      Arguments testArguments = rest.skip(1);
      test = item -> predicates.holds(name, item, testArguments);
    }
    List<Object> result = new ArrayList<>();
    for (Object item : elements(value)) {
      if (test.test(getter.apply(item)) == keeps) {
        result.add(item);
      }
    }
    return new Generator(result);
  }

  /** The elements of a value; what is false has none, whatever it is. */
  private List<Object> elements(Object value) {
    return PythonValue.isTrue(value) ? PythonValue.toList(value, budget) : List.of();
  }
}
