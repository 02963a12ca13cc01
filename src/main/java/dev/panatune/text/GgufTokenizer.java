package dev.panatune.text;

import dev.panatune.error.FormatException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A tokenizer.json and its configuration, built from the metadata of a GGUF file.
 *
 * @param json the text of the tokenizer.json
 * @param config what would lie beside it
 */
record GgufTokenizer(String json, TokenizerConfig config) {
  /** The key of a whole tokenizer.json, which goes before all else that is said. */
  static final String WHOLE = "tokenizer.huggingface.json";

  private static final Map<String, String> SPECIAL_KEYS =
      Map.of(
          "bos_token", "bos_token_id",
          "eos_token", "eos_token_id",
          "unk_token", "unknown_token_id",
          "sep_token", "seperator_token_id",
          "pad_token", "padding_token_id",
          "mask_token", "mask_token_id");
  private static final List<String> END_KEYS =
      List.of("eos_token_id", "eot_token_id", "eom_token_id");

  static GgufTokenizer of(Map<String, Object> metadata) {
    GgufVocabulary vocabulary = GgufVocabulary.of(metadata);
    TokenizerConfig config = config(metadata, vocabulary);
    if (metadata.get(WHOLE) instanceof String whole) {
      return new GgufTokenizer(whole, config);
    }
    Map<String, Object> model =
        switch (vocabulary.model()) {
          case "gpt2" -> ByteLevelBpe.describe(vocabulary);
          case "llama" -> SentencePieceBpe.describe(vocabulary);
          case "t5" -> SentencePieceUnigram.describe(vocabulary);
          default ->
              throw new FormatException(
                  "tokenizer.ggml.model is '"
                      + vocabulary.model()
                      + "', of which no tokenizer can be built; known are gpt2, llama and t5");
        };
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("version", "1.0");
    document.put("truncation", null);
    document.put("padding", null);
    document.put("added_tokens", addedTokens(vocabulary));
    document.put("normalizer", model.get("normalizer"));
    document.put("pre_tokenizer", model.get("pre_tokenizer"));
    document.put("post_processor", postProcessor(vocabulary, config));
    document.put("decoder", model.get("decoder"));
    document.put("model", model.get("model"));
    return new GgufTokenizer(TokenizerJson.compact(document), config);
  }

  private static List<Object> addedTokens(GgufVocabulary vocabulary) {
    List<Object> added = new ArrayList<>();
    for (int id = 0; id < vocabulary.tokens().size(); id++) {
      GgufVocabulary.Kind kind = vocabulary.kind(id);
      if (kind == GgufVocabulary.Kind.NORMAL) {
        continue;
      }
      Map<String, Object> token = new LinkedHashMap<>();
      token.put("id", id);
      token.put("content", vocabulary.tokens().get(id));
      token.put("single_word", false);
      token.put("lstrip", false);
      token.put("rstrip", false);
      token.put("normalized", false);
      token.put("special", kind == GgufVocabulary.Kind.CONTROL);
      added.add(token);
    }
    return added;
  }

  private static TokenizerConfig config(Map<String, Object> metadata, GgufVocabulary vocabulary) {
    Map<String, String> special = new LinkedHashMap<>();
    for (String name : TokenizerConfig.SPECIAL_NAMES) {
      String key = SPECIAL_KEYS.get(name);
      if (key != null) {
        vocabulary.id(key).ifPresent(id -> special.put(name, vocabulary.tokens().get(id)));
      }
    }
    List<Integer> ends = new ArrayList<>();
    END_KEYS.forEach(key -> vocabulary.id(key).ifPresent(ends::add));
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("tokenizer_class", "PreTrainedTokenizerFast");
    fields.put("clean_up_tokenization_spaces", false);
    fields.putAll(special);
    Optional<String> template =
        Optional.ofNullable(metadata.get("tokenizer.chat_template"))
            .filter(String.class::isInstance)
            .map(String.class::cast);
    return new TokenizerConfig(fields, special, template, ends);
  }

  /** Adds the bos and eos tokens that the metadata asks for. */
  private static Map<String, Object> postProcessor(
      GgufVocabulary vocabulary, TokenizerConfig config) {
    List<Object> single = new ArrayList<>();
    List<Object> pair = new ArrayList<>();
    Map<String, Object> tokens = new LinkedHashMap<>();
    for (int sequence = 0; sequence < 2; sequence++) {
      List<Object> part = new ArrayList<>();
      if (vocabulary.addsBos()) {
        special("bos_token", sequence, vocabulary, config, part, tokens);
      }
      part.add(Map.of("Sequence", item(sequence == 0 ? "A" : "B", sequence)));
      if (vocabulary.addsEos()) {
        special("eos_token", sequence, vocabulary, config, part, tokens);
      }
      if (sequence == 0) {
        single.addAll(part);
      }
      pair.addAll(part);
    }
    Map<String, Object> processor = new LinkedHashMap<>();
    processor.put("type", "TemplateProcessing");
    processor.put("single", single);
    processor.put("pair", pair);
    processor.put("special_tokens", tokens);
    return processor;
  }

  private static void special(
      String name,
      int sequence,
      GgufVocabulary vocabulary,
      TokenizerConfig config,
      List<Object> part,
      Map<String, Object> tokens) {
    String token = config.specialTokens().get(name);
    if (token == null) {
      return;
    }
    part.add(Map.of("SpecialToken", item(token, sequence)));
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("id", token);
    entry.put("ids", List.of(vocabulary.tokens().indexOf(token)));
    entry.put("tokens", List.of(token));
    tokens.put(token, entry);
  }

  private static Map<String, Object> item(String id, int sequence) {
    Map<String, Object> item = new LinkedHashMap<>();
    item.put("id", id);
    item.put("type_id", sequence);
    return item;
  }
}
