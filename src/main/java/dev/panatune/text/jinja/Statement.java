package dev.panatune.text.jinja;

import java.util.List;

/** A statement of a template. */
sealed interface Statement {
  /** The line it begins on, from 1. */
  int line();

  record Text(String text, int line) implements Statement {}

  record Print(Expression value, int line) implements Statement {}

  record Assign(Target target, Expression value, int line) implements Statement {}

  /** {@code {% set x %}...{% endset %}}; the filter is null or has a null target. */
  record AssignBlock(Target target, Expression.Filter filter, List<Statement> body, int line)
      implements Statement {}

  /** A loop; the condition is null where there is none. */
  record For(
      Target target,
      Expression sequence,
      Expression condition,
      boolean recursive,
      List<Statement> body,
      List<Statement> otherwise,
      int line)
      implements Statement {}

  record If(List<Branch> branches, List<Statement> otherwise, int line) implements Statement {}

  record Branch(Expression test, List<Statement> body) {}

  record MacroDefinition(String name, Signature signature, List<Statement> body, int line)
      implements Statement {}

  record CallBlock(Expression.Call call, Signature signature, List<Statement> body, int line)
      implements Statement {}

  record FilterBlock(Expression.Filter filter, List<Statement> body, int line)
      implements Statement {}

  record With(List<Target> targets, List<Expression> values, List<Statement> body, int line)
      implements Statement {}

  /** A named block: without inheritance, a scope. */
  record Block(List<Statement> body, int line) implements Statement {}

  /** {@code {% generation %}}: what the assistant says, for the training mask. */
  record Generation(List<Statement> body, int line) implements Statement {}

  record Break(int line) implements Statement {}

  record Continue(int line) implements Statement {}

  /**
   * What a macro takes.
   *
   * @param parameters its names
   * @param defaults values of the last parameters, as many as there are
   * @param readsVarargs whether its body reads {@code varargs}
   * @param readsKwargs whether its body reads {@code kwargs}
   * @param readsCaller whether its body reads {@code caller}
   */
  record Signature(
      List<String> parameters,
      List<Expression> defaults,
      boolean readsVarargs,
      boolean readsKwargs,
      boolean readsCaller) {}

  /** What can be assigned to. */
  sealed interface Target {
    record Variable(String name) implements Target {}

    record NamespaceAttribute(String namespace, String name) implements Target {}

    record Unpacked(List<Target> targets) implements Target {}
  }
}
