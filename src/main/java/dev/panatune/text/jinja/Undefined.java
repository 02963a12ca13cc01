package dev.panatune.text.jinja;

/**
 * A value that does not exist: empty as text, false as a condition, an error in everything else.
 *
 * @param message what is missing
 * @param unsafe whether it exists but the sandbox keeps it back
 */
record Undefined(String message, boolean unsafe) {
  static Undefined variable(String name) {
    return new Undefined("'" + name + "' is undefined", false);
  }

  static Undefined of(String message) {
    return new Undefined(message, false);
  }

  static Undefined attribute(Object target, Object name) {
    String what =
        name instanceof String text
            ? "attribute " + Representation.quoted(text)
            : "element " + (name instanceof Long ? name : PythonValue.typeName(name));
    return of("'" + PythonValue.className(target) + "' has no " + what);
  }

  static Undefined unsafe(Object target, String name) {
    return new Undefined(
        "access to attribute '"
            + name
            + "' of '"
            + PythonValue.typeName(target)
            + "' object is unsafe.",
        true);
  }

  JinjaException failure() {
    return unsafe ? JinjaException.security(message) : JinjaException.undefined(message);
  }
}
