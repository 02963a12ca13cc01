package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChatEncoderTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<Message> TURNS =
      List.of(
          Message.user("one"),
          Message.assistant("think"),
          Message.user("two"),
          Message.assistant("second answer"));

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void idsAndTargetsAreThoseOfTransformers(boolean marked) throws IOException {
    JsonNode golden;
    try (InputStream file = getClass().getResourceAsStream("chat_masks.json")) {
      golden = JSON.readTree(file);
    }
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      ChatEncoder encoder =
          marked ? encoder(tokenizer, golden.get("marked").asText()) : ChatEncoder.of(tokenizer);
      assertEquals(marked, encoder.template().marksGeneration());
      for (JsonNode expected : golden.get("cases")) {
        List<Message> messages = new ArrayList<>();
        expected
            .get("messages")
            .forEach(
                m -> messages.add(new Message(m.get("role").asText(), m.get("content").asText())));
        EncodedChat chat = encoder.encode(messages);
        assertArrayEquals(TokenizerFixtures.ids(expected.get("ids")), chat.ids());
        assertEquals(expected.get("mask").asText(), mask(chat), messages.toString());
        if (!marked) {
          assertArrayEquals(
              TokenizerFixtures.ids(expected.get("prompt")), encoder.promptIds(messages));
        }
      }
    }
  }

  private static String mask(EncodedChat chat) {
    StringBuilder mask = new StringBuilder();
    for (boolean one : chat.target()) {
      mask.append(one ? '1' : '0');
    }
    return mask.toString();
  }

  private static ChatEncoder encoder(Tokenizer tokenizer, String template) {
    return new ChatEncoder(tokenizer, ChatTemplate.of(template, tokenizer.specialTokens()));
  }

  /** What the targets say, the answers separated by bars. */
  private static String said(Tokenizer tokenizer, EncodedChat chat) {
    StringBuilder said = new StringBuilder();
    for (int i = 0; i < chat.ids().length; i++) {
      if (chat.target()[i]) {
        int end = i;
        while (end < chat.ids().length && chat.target()[end]) {
          end++;
        }
        said.append(said.isEmpty() ? "" : "|")
            .append(tokenizer.decode(Arrays.copyOfRange(chat.ids(), i, end), false));
        i = end;
      }
    }
    return said.toString();
  }

  /** A tokenizer whose bos and eos tokens are spelled as a model family spells them. */
  private static Tokenizer tokenizer(String bos, String eos) {
    Map<String, Object> metadata = new HashMap<>(TokenizerFixtures.metadata("smollm"));
    @SuppressWarnings("unchecked")
    List<Object> tokens = new ArrayList<>((List<Object>) metadata.get("tokenizer.ggml.tokens"));
    tokens.set(1, bos);
    tokens.set(2, eos);
    metadata.put("tokenizer.ggml.tokens", tokens);
    return Tokenizer.fromGguf(metadata);
  }

  private static String trlTemplate(String name) throws IOException {
    try (InputStream file = ChatEncoderTest.class.getResourceAsStream("chat_templates.json.gz");
        InputStream text = new GZIPInputStream(file)) {
      return JSON.readTree(text).get("templates").get(name).asText();
    }
  }

  private static void assertSaid(String expected, String template, String bos, String eos)
      throws IOException {
    try (Tokenizer tokenizer = tokenizer(bos, eos)) {
      EncodedChat chat = encoder(tokenizer, trlTemplate(template)).encode(TURNS);
      assertEquals(expected, said(tokenizer, chat), template);
    }
  }

  @Test
  void answersOfOtherFamiliesAreFound() throws IOException {
    assertSaid(
        "think<|eot_id|>|second answer<|eot_id|>", "llama3", "<|begin_of_text|>", "<|eot_id|>");
    assertSaid("think<end_of_turn>|second answer<end_of_turn>", "gemma", "<bos>", "<end_of_turn>");
    assertSaid("think<|im_end|>|second answer<|im_end|>", "qwen2_5", "<|im_start|>", "<|im_end|>");
    assertSaid("think<|end|>|second answer<|end|>", "phi3_5", "<s>", "<|end|>");
    assertSaid(
        "think<|END_OF_TURN_TOKEN|>|second answer<|END_OF_TURN_TOKEN|>",
        "cohere",
        "<BOS_TOKEN>",
        "<|END_OF_TURN_TOKEN|>");
  }

  @Test
  void generationBlocksSayWhichTheAnswersAreButTheNewlineAfterThemIsNone() throws IOException {
    assertSaid(
        "think<|eot_id|>|second answer<|eot_id|>",
        "llama3_training",
        "<|begin_of_text|>",
        "<|eot_id|>");
    assertSaid(
        "think<end_of_turn>|second answer<end_of_turn>",
        "gemma_training",
        "<bos>",
        "<end_of_turn>");
    assertSaid(
        "\nthink<|im_end|>|\nsecond answer<|im_end|>",
        "qwen2_5_training",
        "<|im_start|>",
        "<|im_end|>");
  }

  @Test
  void whatTheTemplatePutsBeforeTheLastAnswerIsTheModelsToWrite() throws IOException {
    assertSaid(
        "think<|im_end|>|<think>\n\n</think>\n\nsecond answer<|im_end|>",
        "qwen3",
        "<|im_start|>",
        "<|im_end|>");
  }

  @Test
  void spaceThatTheTemplateTrimsIsNoError() throws IOException {
    try (Tokenizer tokenizer = tokenizer("<|begin_of_text|>", "<|eot_id|>")) {
      EncodedChat chat =
          encoder(tokenizer, trlTemplate("llama3"))
              .encode(List.of(Message.user("a"), Message.assistant("  b c \n")));
      assertEquals("b c<|eot_id|>", said(tokenizer, chat));
    }
  }

  @Test
  void noSpecialTokenIsAddedToTheTemplates() throws IOException {
    try (Tokenizer tokenizer =
        Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm with bos and eos"))) {
      ChatEncoder encoder = ChatEncoder.of(tokenizer);
      int[] ids = encoder.encode(List.of(Message.user("a"), Message.assistant("b"))).ids();
      assertEquals(2, Arrays.stream(ids).filter(id -> id == 1).count());
      assertEquals(2, Arrays.stream(ids).filter(id -> id == 2).count());
    }
  }

  @Test
  void aModelWithoutATemplateGetsTheDefault() {
    Map<String, Object> metadata = new HashMap<>(TokenizerFixtures.metadata("smollm"));
    metadata.remove("tokenizer.chat_template");
    try (Tokenizer tokenizer = Tokenizer.fromGguf(metadata)) {
      ChatEncoder encoder = ChatEncoder.of(tokenizer);
      List<Message> messages =
          List.of(Message.system("S"), Message.user("Q"), Message.assistant("A"));
      String text = "<|im_start|>S\n\n### Instruction:\nQ\n\n### Response:\nA<|im_end|>\n\n";
      assertEquals(text, encoder.template().render(messages, false));
      assertEquals("A<|im_end|>", said(tokenizer, encoder.encode(messages)));
      assertEquals(
          "<|im_start|>S\n\n### Instruction:\nQ\n\n### Response:\n",
          tokenizer.decode(encoder.promptIds(messages.subList(0, 2)), false));
    }
  }

  @Test
  void aModelWithoutTemplateAndEosIsRefused() {
    Map<String, Object> metadata = new HashMap<>(TokenizerFixtures.metadata("smollm"));
    metadata.remove("tokenizer.chat_template");
    metadata.remove("tokenizer.ggml.eos_token_id");
    try (Tokenizer tokenizer = Tokenizer.fromGguf(metadata)) {
      PanatuneException error =
          assertThrows(PanatuneException.class, () -> ChatEncoder.of(tokenizer));
      assertTrue(error.getMessage().contains("eos_token"), error.getMessage());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // the answer is changed
        "{% for m in messages %}{{ m.role }}: {{ m.content|upper }}<|im_end|>\n{% endfor %}",
        // nothing ends the turn
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        // the answer is not there
        "{% for m in messages %}{{ m.role }}<|im_end|>{% endfor %}",
        // the blocks are in a macro
        "{% macro say(m) %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% endmacro"
            + " %}{% for m in messages %}{{ say(m) }}{% endfor %}",
        // the blocks are never reached
        "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
            + "{% if false %}{% generation %}{% endgeneration %}{% endif %}",
        // what stands before depends on the answer
        "{{ messages[-1].content|length }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor"
            + " %}"
      })
  void aTemplateInWhichTheAnswersAreNotFoundIsRefused(String template) {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      ChatEncoder encoder = encoder(tokenizer, template);
      PanatuneException error = assertThrows(PanatuneException.class, () -> encoder.encode(TURNS));
      assertTrue(error.getMessage().contains("generation"), error.getMessage());
    }
  }

  @Test
  void aRefusalOfTheTemplateIsHandedOn() {
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      ChatEncoder encoder = encoder(tokenizer, "{{ raise_exception('Roles must alternate!') }}");
      PanatuneException error = assertThrows(PanatuneException.class, () -> encoder.encode(TURNS));
      assertTrue(error.getMessage().endsWith("Roles must alternate!"), error.getMessage());
    }
  }

  @Test
  void plainTextHasTheTokenizersOwnTokensAndAllButTheFirstAreTargets() {
    try (Tokenizer tokenizer =
        Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm with bos and eos"))) {
      EncodedChat plain = ChatEncoder.of(tokenizer).encodePlain("some text");
      assertArrayEquals(tokenizer.encode("some text", true), plain.ids());
      assertEquals("0" + "1".repeat(plain.ids().length - 1), mask(plain));
    }
    try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata("smollm"))) {
      assertEquals(0, ChatEncoder.of(tokenizer).encodePlain("").ids().length);
    }
  }

  @Test
  void aCompletionAndItsEndAreTargets() {
    for (String name : List.of("smollm", "smollm with bos and eos")) {
      try (Tokenizer tokenizer = Tokenizer.fromGguf(TokenizerFixtures.metadata(name))) {
        EncodedChat chat = ChatEncoder.of(tokenizer).encodeCompletion("Q: 12\nA:", " 34 ok");
        String front = name.equals("smollm") ? "" : "<|im_start|>";
        assertEquals(front + "Q: 12\nA: 34 ok<|im_end|>", tokenizer.decode(chat.ids(), false));
        assertEquals(" 34 ok<|im_end|>", said(tokenizer, chat));
      }
    }
  }
}
