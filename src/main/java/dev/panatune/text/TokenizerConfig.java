package dev.panatune.text;

import dev.panatune.error.FormatException;
import dev.panatune.format.ContainedPath;
import dev.panatune.format.StrictJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What lies beside a tokenizer.json and says how it is used.
 *
 * @param fields tokenizer_config.json without the chat template
 * @param specialTokens text of {@code bos_token}, {@code eos_token}, ... by that name
 * @param chatTemplate the model's chat template
 * @param endIds ids that end a generation, from generation_config.json
 */
record TokenizerConfig(
    Map<String, Object> fields,
    Map<String, String> specialTokens,
    Optional<String> chatTemplate,
    List<Integer> endIds) {
  static final String FILE = "tokenizer_config.json";
  static final String TEMPLATE_FILE = "chat_template.jinja";
  private static final String TEMPLATE_FIELD = "chat_template";
  private static final long LARGEST_TEMPLATE = 1 << 20;

  /** The names under which transformers knows special tokens, and hands them to chat templates. */
  static final List<String> SPECIAL_NAMES =
      List.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token");

  TokenizerConfig {
    fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
    specialTokens = Collections.unmodifiableMap(new LinkedHashMap<>(specialTokens));
    endIds = List.copyOf(endIds);
  }

  /** Reads what is there of tokenizer_config.json and its companions. */
  static TokenizerConfig read(Path directory) {
    Map<String, Object> fields = readIfThere(directory.resolve(FILE));
    Map<String, Object> tokens = readIfThere(directory.resolve("special_tokens_map.json"));
    tokens.putAll(fields);
    Optional<String> template = templateFile(directory.resolve(TEMPLATE_FILE));
    if (template.isEmpty()) {
      template = templateField(fields.get(TEMPLATE_FIELD));
    }
    fields.remove(TEMPLATE_FIELD);
    Object ends = readIfThere(directory.resolve("generation_config.json")).get("eos_token_id");
    return new TokenizerConfig(fields, specialTokens(tokens), template, ids(ends));
  }

  private static Map<String, Object> readIfThere(Path file) {
    return Files.exists(file)
        ? new LinkedHashMap<>(StrictJson.readObject(ContainedPath.inside(file)))
        : new LinkedHashMap<>();
  }

  private static Optional<String> templateFile(Path file) {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > LARGEST_TEMPLATE) {
        throw new FormatException(file + " is not a chat template: a template has at most 1 MiB");
      }
      return Optional.of(Files.readString(ContainedPath.inside(file), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new FormatException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** One template, or several with names, of which the one called default is meant. */
  private static Optional<String> templateField(Object field) {
    return switch (field) {
      case null -> Optional.empty();
      case String template -> Optional.of(template);
      case Collection<?> named ->
          named.stream()
              .filter(entry -> entry instanceof Map<?, ?> map && "default".equals(map.get("name")))
              .map(entry -> (String) ((Map<?, ?>) entry).get("template"))
              .findFirst();
      default ->
          throw new FormatException(
              "chat_template in " + FILE + " must be text or a list of named templates");
    };
  }

  private static Map<String, String> specialTokens(Map<String, Object> tokens) {
    Map<String, String> texts = new LinkedHashMap<>();
    for (String name : SPECIAL_NAMES) {
      switch (tokens.get(name)) {
        case String text -> texts.put(name, text);
        case Map<?, ?> token when token.get("content") instanceof String text ->
            texts.put(name, text);
        case null -> {}
        default ->
            throw new FormatException(
                name + " in " + FILE + " must be text or an object with a content");
      }
    }
    return texts;
  }

  private static List<Integer> ids(Object ends) {
    List<Integer> ids = new ArrayList<>();
    for (Object id :
        ends instanceof Collection<?> several ? several : Collections.singleton(ends)) {
      if (id instanceof Integer number) {
        ids.add(number);
      }
    }
    return ids;
  }
}
