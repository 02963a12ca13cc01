package dev.panatune.text.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Gives the parameters of a macro their values. */
final class MacroBinding {
  private final String name;
  private final Statement.Signature signature;
  private final Evaluator evaluator;

  MacroBinding(String name, Statement.Signature signature, Evaluator evaluator) {
    this.name = name;
    this.signature = signature;
    this.evaluator = evaluator;
  }

  void bind(Arguments arguments, Scope scope) {
    List<String> parameters = signature.parameters();
    List<Object> positional = arguments.positional();
    Map<String, Object> named = new LinkedHashMap<>(arguments.named());
    for (int i = 0; i < parameters.size(); i++) {
      String parameter = parameters.get(i);
      if (i < positional.size()) {
        if (named.containsKey(parameter)) {
          throw JinjaException.type(
              "macro '" + name + "' got two values for the argument '" + parameter + "'");
        }
        scope.set(parameter, positional.get(i));
      } else if (named.containsKey(parameter)) {
        scope.set(parameter, named.remove(parameter));
      } else {
        scope.set(parameter, defaultOf(i, scope));
      }
    }
    bindCaller(named, scope);
    bindRest(positional, named, scope);
  }

  private Object defaultOf(int index, Scope scope) {
    int first = signature.parameters().size() - signature.defaults().size();
    return index < first
        ? Undefined.of("parameter '" + signature.parameters().get(index) + "' was not provided")
        : evaluator.evaluate(signature.defaults().get(index - first), scope);
  }

  private void bindCaller(Map<String, Object> named, Scope scope) {
    if (signature.readsCaller() && !signature.parameters().contains("caller")) {
      scope.set(
          "caller",
          named.containsKey("caller") ? named.remove("caller") : Undefined.of("No caller defined"));
    }
  }

  private void bindRest(List<Object> positional, Map<String, Object> named, Scope scope) {
    int expected = signature.parameters().size();
    if (signature.readsKwargs()) {
      scope.set("kwargs", named);
    } else if (!named.isEmpty()) {
      throw JinjaException.type(
          "macro '"
              + name
              + "' takes no keyword argument '"
              + named.keySet().iterator().next()
              + "'");
    }
    if (signature.readsVarargs()) {
      int from = Math.min(expected, positional.size());
      scope.set("varargs", new Tuple(positional.subList(from, positional.size())));
    } else if (positional.size() > expected) {
      throw JinjaException.type(
          "macro '" + name + "' takes not more than " + expected + " argument(s)");
    }
  }
}
