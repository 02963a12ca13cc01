package dev.panatune.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates from outside that mean harm: each must stop with a clear error. */
class JinjaLimitsTest {
  private static final Limits SMALL = new Limits(200_000, 1_000_000, 100, Duration.ofSeconds(60));

  @ParameterizedTest
  @ValueSource(
      strings = {
        // time
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) if false %}{% endfor %}{% for a in range(99999) %}{% endfor %}"
            + "{{ range(99999)|sort }}{{ range(99999)|list|reverse|list }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ caller() }}{% endmacro %}"
            + "{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ n() }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ 'a' in range(99999)|list * 9 }}",
        // memory
        "{{ 'x' * 999999999999 }}",
        "{{ [0] * 999999999999 }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x'.zfill(999999999) }}",
        "{{ 'x'.center(999999999) }}",
        "{{ 'x'|center(999999999) }}",
        "{{ [1]|batch(999999999, 0)|list }}",
        "{{ [1]|slice(999999999)|list }}",
        "{{ range(999999999) }}",
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor"
            + " %}",
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor"
            + " %}",
        "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor"
            + " %}",
        "{% set n = namespace(s='x') %}"
            + "{% for i in range(99) %}{% set n.s = n.s.replace('x', 'xx') %}{% endfor %}",
        "{% set n = namespace(s='x') %}"
            + "{% for i in range(99) %}{% set n.s = [n.s, n.s]|join %}{% endfor %}",
        "{% set n = namespace(s='\"') %}"
            + "{% for i in range(99) %}{% set n.s = n.s|tojson|tojson %}{% endfor %}",
        "{% for i in range(99999) %}{{ 'a long text that is written often' }}{% endfor %}",
        "{{ 'ab'|indent(9999, true)|indent(9999, true)|list }}"
            + "{% for i in range(999) %}{{ 'ab'|indent(9999, true) }}{% endfor %}",
        "{{ nested|tojson(indent=1000) }}{% for i in range(999) %}{{ [[[[1]]]]|tojson(indent=1000)"
            + " }}{% endfor %}",
        // shared values that grow when they are written or compared
        "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor"
            + " %}{{ n.s }}",
        "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor"
            + " %}{{ n.s|tojson }}",
        "{% set n = namespace(s=[1], r=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}"
            + "{% set n.r = [n.r, n.r] %}{% endfor %}{{ n.s == n.r }}",
        // depth
        "{% set n = namespace(s=[1]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}{% endfor %}"
            + "{{ n.s }}",
        "{% set n = namespace(s=[1]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}{% endfor %}"
            + "{{ n.s|tojson }}",
        "{% set n = namespace(s=[1], r=[1]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}"
            + "{% set n.r = [n.r] %}{% endfor %}{{ n.s == n.r }}",
        "{% set n = namespace(s=[1], r=[1]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}"
            + "{% set n.r = [n.r] %}{% endfor %}{{ n.s < n.r }}",
        // numbers
        "{{ 9223372036854775807 + 1 }}",
        "{{ 10 ** 99 }}",
        "{{ 2 ** 999999999999 }}",
        "{{ 9223372036854775807 * 9223372036854775807 }}"
      })
  void isStopped(String template) {
    Map<String, Object> variables = Map.of("nested", List.of(List.of(1)));
    JinjaException error =
        assertThrows(
            JinjaException.class,
            () -> Template.parse(template).render(variables, SMALL, Clock.systemUTC()));
    assertEquals(JinjaException.Kind.LIMIT, error.kind(), error.getMessage());
  }

  @Test
  void theDefaultLimitsHoldInASmallHeapAndStack() {
    String doubling =
        "{% set n = namespace(s='xy') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor"
            + " %}";
    assertLimit(doubling);
    assertLimit(
        "{% macro m(n) %}{% if n %}{% for a in [1] %}{{ m(n) }}{% endfor %}{% endif %}"
            + "{% endmacro %}{{ m(1) }}");
  }

  private static void assertLimit(String template) {
    JinjaException error =
        assertThrows(JinjaException.class, () -> Template.parse(template).render(Map.of()));
    assertEquals(JinjaException.Kind.LIMIT, error.kind(), error.getMessage());
  }

  @Test
  void theClockStopsATemplate() {
    Limits limits = new Limits(Long.MAX_VALUE, Long.MAX_VALUE, 100, Duration.ofMillis(50));
    Template template =
        Template.parse(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
    JinjaException error =
        assertThrows(
            JinjaException.class, () -> template.render(Map.of(), limits, Clock.systemUTC()));
    assertTrue(error.getMessage().contains("runs for more than"), error.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"(", "[", "{1:", "not ", "-", "a[", "a(", "1 if ", "a if b else "})
  void deepExpressionsAreRefusedWithoutAStackOverflow(String opening) {
    String template = "{{ " + opening.repeat(100_000);
    JinjaException error = assertThrows(JinjaException.class, () -> Template.parse(template));
    assertTrue(
        error.kind() == JinjaException.Kind.LIMIT || error.kind() == JinjaException.Kind.SYNTAX);
  }

  @ParameterizedTest
  @ValueSource(strings = {"{% if a %}", "{% for a in b %}", "{% macro m() %}", "{% filter e %}"})
  void deepStatementsAreRefusedWithoutAStackOverflow(String opening) {
    JinjaException error =
        assertThrows(JinjaException.class, () -> Template.parse(opening.repeat(100_000)));
    assertEquals(JinjaException.Kind.LIMIT, error.kind(), error.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {" + 1", " ~ 1", " and 1", " or 1", "|e", ".a", "[0]", " == 1"})
  void longChainsAreRefusedOrRunWithoutAStackOverflow(String link) {
    Template template = Template.parse("{{ 1" + link.repeat(20_000) + " }}");
    try {
      template.render(Map.of());
    } catch (JinjaException e) {
      assertTrue(e.getMessage().contains("line 1"), e.getMessage());
    }
  }

  @Test
  void onlyPlainDataGetsIn() {
    JinjaException error =
        assertThrows(
            JinjaException.class,
            () -> Template.parse("{{ x }}").render(Map.of("x", Thread.currentThread())));
    assertEquals(JinjaException.Kind.TYPE, error.kind());
    assertTrue(error.getMessage().contains("java.lang.Thread"), error.getMessage());
    List<Object> endless = new ArrayList<>();
    endless.add(endless);
    Map<String, Object> variables = new HashMap<>();
    variables.put("x", endless);
    assertThrows(JinjaException.class, () -> Template.parse("{{ x }}").render(variables));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "class",
        "getClass",
        "hashCode",
        "size",
        "getBytes",
        "chars",
        "entrySet",
        "stream",
        "isEmpty"
      })
  void javaMembersAreNotThere(String member) {
    Map<String, Object> variables =
        Map.of("s", "text", "l", List.of(1), "d", Map.of("k", 1), "f", 1.5);
    for (String target : List.of("s", "l", "d", "f", "namespace()", "range(3)", "loop_")) {
      String template = "{{ " + target + "." + member + " is defined }}";
      String text =
          target.equals("loop_")
              ? Template.parse("{% for i in l %}{{ loop." + member + " is defined }}{% endfor %}")
                  .render(variables)
                  .text()
              : Template.parse(template).render(variables).text();
      assertEquals("False", text, target + "." + member);
    }
  }
}
