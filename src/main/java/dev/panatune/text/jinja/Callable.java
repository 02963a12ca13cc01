package dev.panatune.text.jinja;

/** What a template can call: a macro, a function, a method bound to its value. */
@FunctionalInterface
interface Callable {
  Object call(Arguments arguments);
}
