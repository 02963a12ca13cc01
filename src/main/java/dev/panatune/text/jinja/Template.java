package dev.panatune.text.jinja;

import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A parsed template. It has no state, so that any number of threads may render it at once.
 *
 * <p>White space, Python semantics and globals are those that transformers gives chat templates:
 * {@code trim_blocks}, {@code lstrip_blocks}, loop controls, {@code generation} blocks, {@code
 * raise_exception}, {@code strftime_now}, and a sandbox in which nothing can be changed but
 * namespaces.
 */
public final class Template {
  private final List<Statement> statements;

  private Template(List<Statement> statements) {
    this.statements = statements;
  }

  /**
   * Parses a template.
   *
   * @throws JinjaException when it is not valid, with the line
   */
  public static Template parse(String source) {
    return new Template(Parser.parse(source));
  }

  /** Renders with the default limits and the system's clock. */
  public Rendering render(Map<String, ?> variables) {
    return render(variables, Limits.DEFAULT, Clock.systemDefaultZone());
  }

  /**
   * Renders.
   *
   * @param variables plain data by name: see {@link PlainData}
   * @param limits what the template may use
   * @param clock what {@code strftime_now} reads
   * @throws JinjaException when the template fails, with the line; its kind says why
   */
  public Rendering render(Map<String, ?> variables, Limits limits, Clock clock) {
    Budget budget = new Budget(limits);
    Map<String, Object> all = new HashMap<>(Globals.of(budget, clock));
    variables.forEach((name, value) -> all.put(name, PlainData.of(value)));
    return new Interpreter(budget).render(statements, Scope.root(all));
  }

  /** Whether it has {@code {% generation %}} blocks. */
  public boolean marksGeneration() {
    return marksGeneration(statements);
  }

  private static boolean marksGeneration(List<Statement> statements) {
    return statements.stream()
        .anyMatch(statement ->
            switch (statement) {
              case Statement.Generation g -> true;
              case Statement.For f -> marksGeneration(f.body()) || marksGeneration(f.otherwise());
              case Statement.If i ->
                  i.branches().stream().anyMatch(b -> marksGeneration(b.body()))
                      || marksGeneration(i.otherwise());
              case Statement.MacroDefinition m -> marksGeneration(m.body());
              case Statement.CallBlock c -> marksGeneration(c.body());
              case Statement.FilterBlock f -> marksGeneration(f.body());
              case Statement.AssignBlock a -> marksGeneration(a.body());
              case Statement.With w -> marksGeneration(w.body());
              case Statement.Block b -> marksGeneration(b.body());
              default -> false;
            });
  }
}
