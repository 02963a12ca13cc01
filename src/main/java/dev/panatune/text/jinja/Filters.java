package dev.panatune.text.jinja;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The filters by name. */
final class Filters {
  /** A filter: the value before the bar and the arguments after the name. */
  @FunctionalInterface
  interface Filter {
    Object apply(Object value, Arguments arguments);
  }

  private static final Set<String> LEFT_OUT =
      Set.of("filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr");

  private final Map<String, Filter> filters = new TreeMap<>();

  Filters(Budget budget, Attributes attributes, Predicates predicates) {
    new TextFilters(budget).addTo(filters);
    new NumberFilters(budget).addTo(filters);
    new SequenceFilters(budget, attributes).addTo(filters);
    new SelectingFilters(budget, attributes, predicates, this).addTo(filters);
  }

  boolean has(String name) {
    return filters.containsKey(name);
  }

  Object apply(String name, Object value, Arguments arguments) {
    Filter filter = filters.get(name);
    if (filter == null) {
      throw new JinjaException(
          JinjaException.Kind.SYNTAX,
          LEFT_OUT.contains(name)
              ? "the filter '" + name + "' is not supported in chat templates"
              : "No filter named '" + name + "'.");
    }
    return filter.apply(value, arguments);
  }
}
