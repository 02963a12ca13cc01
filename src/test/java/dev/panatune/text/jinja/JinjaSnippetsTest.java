package dev.panatune.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Small templates, one for each thing that the language can do, against Jinja. */
class JinjaSnippetsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Clock CLOCK =
      Clock.fixed(LocalDateTime.of(2024, 7, 3, 9, 5, 7).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);

  @TestFactory
  Stream<DynamicTest> snippetsRenderAsInJinja() throws IOException {
    JsonNode golden;
    try (InputStream file = getClass().getResourceAsStream("jinja_snippets.json")) {
      golden = JSON.readTree(file);
    }
    @SuppressWarnings("unchecked")
    Map<String, Object> variables = JSON.convertValue(golden.get("variables"), Map.class);
    return StreamSupport.stream(golden.get("cases").spliterator(), false)
        .map(expected ->
            DynamicTest.dynamicTest(
                expected.get("template").asText().replaceAll("\\s", " "),
                () -> check(expected, variables)));
  }

  private static void check(JsonNode expected, Map<String, Object> variables) {
    String template = expected.get("template").asText();
    if (expected.has("text")) {
      assertEquals(expected.get("text").asText(), render(template, variables));
      return;
    }
    JinjaException error = assertThrows(JinjaException.class, () -> render(template, variables));
    String name = expected.get("error").asText();
    String reason = name + ": " + expected.get("message").asText();
    assertEquals(kind(name), error.kind(), reason + ", but here: " + error.getMessage());
    if (error.kind() == JinjaException.Kind.RAISED) {
      assertEquals(expected.get("message").asText(), error.reason());
    }
  }

  private static String render(String template, Map<String, Object> variables) {
    return Template.parse(template).render(variables, Limits.DEFAULT, CLOCK).text();
  }

  private static JinjaException.Kind kind(String pythonError) {
    return switch (pythonError) {
      case "TemplateSyntaxError", "TemplateAssertionError" -> JinjaException.Kind.SYNTAX;
      case "UndefinedError" -> JinjaException.Kind.UNDEFINED;
      case "SecurityError" -> JinjaException.Kind.SECURITY;
      case "OverflowError" -> JinjaException.Kind.LIMIT;
      case "TemplateError" -> JinjaException.Kind.RAISED;
      default -> JinjaException.Kind.TYPE;
    };
  }
}
