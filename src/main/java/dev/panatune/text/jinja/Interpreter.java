package dev.panatune.text.jinja;

import dev.panatune.text.jinja.Statement.Target;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Runs statements. */
final class Interpreter {
  /** How a list of statements ended. */
  private enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  private final Budget budget;
  private final Evaluator evaluator;
  private final List<Rendering.Span> generated = new ArrayList<>();

  Interpreter(Budget budget) {
    this.budget = budget;
    this.evaluator = new Evaluator(budget);
  }

  Rendering render(List<Statement> template, Scope scope) {
    Output output = Output.root(budget);
    run(template, scope, output);
    return new Rendering(output.text(), generated);
  }

  private Flow run(List<Statement> statements, Scope scope, Output output) {
    for (Statement statement : statements) {
      budget.step();
      budget.enter();
      Flow flow;
      try {
        flow = run(statement, scope, output);
      } catch (JinjaException e) {
        throw e.at(statement.line());
      }
      budget.leave();
      if (flow != Flow.NEXT) {
        return flow;
      }
    }
    return Flow.NEXT;
  }

  private Flow run(Statement statement, Scope scope, Output output) {
    switch (statement) {
      case Statement.Text text -> output.append(text.text());
      case Statement.Print print ->
          output.append(Representation.str(evaluator.evaluate(print.value(), scope), budget));
      case Statement.Assign assign ->
          assign(assign.target(), evaluator.evaluate(assign.value(), scope), scope);
      case Statement.AssignBlock block -> {
        Object text = buffered(block.body(), scope.inner(), output);
        if (block.filter() != null) {
          text = evaluator.filter(block.filter(), text, scope);
        }
        assign(block.target(), text, scope);
      }
      case Statement.If choice -> {
        return runIf(choice, scope, output);
      }
      case Statement.For loop -> runFor(loop, scope, output);
      case Statement.MacroDefinition macro ->
          scope.set(
              macro.name(), macro(macro.name(), macro.signature(), macro.body(), scope, output));
      case Statement.CallBlock call -> runCallBlock(call, scope, output);
      case Statement.FilterBlock block -> {
        String text = buffered(block.body(), scope.inner(), output);
        Object filtered = evaluator.filter(block.filter(), text, scope);
        output.append(Representation.str(filtered, budget));
      }
      case Statement.With with -> {
        Scope inner = scope.inner();
        for (int i = 0; i < with.targets().size(); i++) {
          assign(with.targets().get(i), evaluator.evaluate(with.values().get(i), scope), inner);
        }
        return run(with.body(), inner, output);
      }
      case Statement.Block block -> run(block.body(), scope.inner(), output);
      case Statement.Generation generation -> runGeneration(generation, scope, output);
      case Statement.Break ignored -> {
        return Flow.BREAK;
      }
      case Statement.Continue ignored -> {
        return Flow.CONTINUE;
      }
    }
    return Flow.NEXT;
  }

  private String buffered(List<Statement> body, Scope scope, Output output) {
    Output buffer = output.buffer();
    run(body, scope, buffer);
    return buffer.text();
  }

  private Flow runIf(Statement.If choice, Scope scope, Output output) {
    for (Statement.Branch branch : choice.branches()) {
      if (evaluator.isTrue(branch.test(), scope)) {
        return run(branch.body(), scope, output);
      }
    }
    return run(choice.otherwise(), scope, output);
  }

  private void runFor(Statement.For loop, Scope scope, Output output) {
    runFor(loop, evaluator.evaluate(loop.sequence(), scope), 0, scope, output);
  }

  private void runFor(
      Statement.For loop, Object sequence, long depth0, Scope scope, Output output) {
    Iterator<Object> elements = PythonValue.iterate(sequence);
    Object source = sequence;
    if (loop.condition() != null) {
      elements = new Filtered(elements, element -> accepts(loop, element, scope));
      source = new Generator(List.of());
    }
    Callable recursion =
        loop.recursive()
            ? arguments -> {
              Object inner = arguments.bind("loop", "iterable", Arguments.REQUIRED).value(0);
              Output buffer = output.buffer();
              runFor(loop, inner, depth0 + 1, scope, buffer);
              return buffer.text();
            }
            : null;
    LoopState state = new LoopState(source, elements, recursion, depth0);
    boolean empty = true;
    while (state.advance()) {
      budget.step();
      empty = false;
      Scope inner = scope.inner();
      inner.set("loop", state);
      assign(loop.target(), state.current(), inner);
      if (run(loop.body(), inner, output) == Flow.BREAK) {
        break;
      }
    }
    if (empty) {
      run(loop.otherwise(), scope.inner(), output);
    }
  }

  private boolean accepts(Statement.For loop, Object element, Scope scope) {
    Scope inner = scope.inner();
    assign(loop.target(), element, inner);
    return evaluator.isTrue(loop.condition(), inner);
  }

  private void runGeneration(Statement.Generation generation, Scope scope, Output output) {
    int start = output.length();
    String text = buffered(generation.body(), scope.inner(), output);
    output.append(text);
    generated.add(new Rendering.Span(start, start + text.length(), output.isRoot()));
  }

  private void runCallBlock(Statement.CallBlock block, Scope scope, Output output) {
    Callable caller = macro("caller", block.signature(), block.body(), scope, output);
    Object target = evaluator.evaluate(block.call().target(), scope);
    Arguments arguments = evaluator.arguments(block.call().arguments(), scope);
    arguments.named().put("caller", caller);
    output.append(Representation.str(evaluator.call(target, arguments), budget));
  }

  private Callable macro(
      String name,
      Statement.Signature signature,
      List<Statement> body,
      Scope defined,
      Output output) {
    return arguments -> {
      Scope scope = defined.inner();
      new MacroBinding(name, signature, evaluator).bind(arguments, scope);
      return buffered(body, scope, output);
    };
  }

  private void assign(Target target, Object value, Scope scope) {
    switch (target) {
      case Target.Variable variable -> scope.set(variable.name(), value);
      case Target.NamespaceAttribute attribute -> {
        if (!(scope.get(attribute.namespace()) instanceof Namespace namespace)) {
          throw JinjaException.type("cannot assign attribute on non-namespace object");
        }
        namespace.set(attribute.name(), value);
      }
      case Target.Unpacked unpacked -> {
        List<Object> values = PythonValue.toList(value, budget);
        int expected = unpacked.targets().size();
        if (values.size() != expected) {
          throw JinjaException.type(
              "cannot unpack " + values.size() + " values into " + expected + " names");
        }
        for (int i = 0; i < expected; i++) {
          assign(unpacked.targets().get(i), values.get(i), scope);
        }
      }
    }
  }
}
