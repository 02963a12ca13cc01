package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.PanatuneException;
import dev.panatune.text.jinja.JinjaException;
import dev.panatune.text.jinja.Limits;
import dev.panatune.text.jinja.Rendering;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every chat template of trl's wheel, on conversations of all kinds, against transformers. */
class ChatTemplateGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Clock CLOCK =
      Clock.fixed(LocalDateTime.of(2024, 7, 3, 9, 5, 7).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);

  @TestFactory
  Stream<DynamicTest> templatesRenderAsTransformersDoes() throws IOException {
    JsonNode golden;
    try (InputStream file = getClass().getResourceAsStream("chat_templates.json.gz");
        InputStream text = new GZIPInputStream(file)) {
      golden = JSON.readTree(text);
    }
    Map<String, ChatTemplate> templates = new HashMap<>();
    golden
        .get("templates")
        .properties()
        .forEach(entry ->
            templates.put(
                entry.getKey(),
                ChatTemplate.of(entry.getValue().asText(), map(golden.get("special")))
                    .with(Limits.DEFAULT, CLOCK)));
    return StreamSupport.stream(golden.get("cases").spliterator(), false)
        .map(golden_ ->
            DynamicTest.dynamicTest(
                golden_.get("template").asText() + ", " + golden_.get("conversation").asText(),
                () ->
                    check(
                        golden_,
                        templates.get(golden_.get("template").asText()),
                        conversation(
                            golden
                                .get("conversations")
                                .get(golden_.get("conversation").asText())))));
  }

  private static void check(JsonNode expected, ChatTemplate template, Conversation conversation) {
    if (expected.has("text")) {
      Rendering rendering = template.render(conversation);
      assertEquals(expected.get("text").asText(), rendering.text());
      assertEquals(spans(expected), spans(rendering));
      return;
    }
    PanatuneException error =
        assertThrows(PanatuneException.class, () -> template.render(conversation));
    JinjaException cause = (JinjaException) error.getCause();
    if (expected.has("raised")) {
      assertEquals(expected.get("raised").asText(), cause.reason());
      assertEquals(JinjaException.Kind.RAISED, cause.kind());
      assertTrue(error.getMessage().contains(cause.reason()), error.getMessage());
    } else {
      String kind = expected.get("failed").asText().startsWith("Undefined") ? "UNDEFINED" : "TYPE";
      assertEquals(kind, cause.kind().name(), expected.get("failed").asText());
    }
  }

  private static List<String> spans(JsonNode expected) {
    List<String> spans = new ArrayList<>();
    String text = expected.get("text").asText();
    for (JsonNode span : expected.get("generated")) {
      int start = text.offsetByCodePoints(0, span.get(0).asInt());
      spans.add(start + "-" + text.offsetByCodePoints(0, span.get(1).asInt()));
    }
    return spans;
  }

  private static List<String> spans(Rendering rendering) {
    return rendering.generated().stream().map(s -> s.start() + "-" + s.end()).toList();
  }

  private static Conversation conversation(JsonNode given) {
    Map<String, Object> rest = new HashMap<>(map(given));
    boolean prompt = Boolean.TRUE.equals(rest.remove("add_generation_prompt"));
    rest.keySet().removeAll(List.of("messages", "tools", "documents"));
    return new Conversation(
        maps(given.get("messages")),
        maps(given.get("tools")),
        maps(given.get("documents")),
        prompt,
        rest);
  }

  private static List<Map<String, Object>> maps(JsonNode array) {
    if (array == null) {
      return null;
    }
    List<Map<String, Object>> maps = new ArrayList<>();
    array.forEach(node -> maps.add(map(node)));
    return maps;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(JsonNode node) {
    return JSON.convertValue(node, Map.class);
  }
}
