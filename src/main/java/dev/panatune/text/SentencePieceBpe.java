package dev.panatune.text;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Describes a SentencePiece vocabulary of scores ({@code tokenizer.ggml.model} llama). */
final class SentencePieceBpe {
  /** What SentencePiece writes for a space. */
  static final String SPACE = "\u2581";

  private SentencePieceBpe() {}

  /** Normalizer, pre_tokenizer, decoder and model of the tokenizer.json. */
  static Map<String, Object> describe(GgufVocabulary vocabulary) {
    if (vocabulary.isGemma()) {
      return gemma(vocabulary);
    }
    boolean prefix = vocabulary.addsSpacePrefix();
    Map<String, Object> parts = new LinkedHashMap<>();
    if (vocabulary.architecture().equals("phi3")) {
      parts.put("normalizer", prependAndReplace());
    } else {
      parts.put("pre_tokenizer", metaspace(prefix));
    }
    parts.put("decoder", decoder(prefix));
    parts.put(
        "model",
        BpeModel.describe(
            vocabulary.tokens(),
            ImpliedMerges.of(vocabulary, vocabulary.tokens(), vocabulary.scores()),
            null,
            true,
            false));
    return parts;
  }

  /** Gemma puts no space before a text, and merges in the order of its vocabulary. */
  private static Map<String, Object> gemma(GgufVocabulary vocabulary) {
    List<String> tokens = vocabulary.tokens();
    double[] order = new double[tokens.size()];
    for (int id = 0; id < order.length; id++) {
      order[id] = -id;
    }
    Map<String, Object> split = new LinkedHashMap<>();
    split.put("type", "Split");
    split.put("pattern", Map.of("String", " "));
    split.put("behavior", "MergedWithPrevious");
    split.put("invert", false);
    Map<String, Object> parts = new LinkedHashMap<>();
    parts.put("normalizer", replace(" ", SPACE));
    parts.put("pre_tokenizer", split);
    parts.put("decoder", decoder(false));
    String unknown = tokens.contains("<unk>") ? "<unk>" : null;
    parts.put(
        "model",
        BpeModel.describe(
            tokens, ImpliedMerges.of(vocabulary, tokens, order), unknown, true, false));
    return parts;
  }

  private static Map<String, Object> metaspace(boolean prefix) {
    Map<String, Object> metaspace = new LinkedHashMap<>();
    metaspace.put("type", "Metaspace");
    metaspace.put("replacement", SPACE);
    metaspace.put("prepend_scheme", prefix ? "first" : "never");
    metaspace.put("split", false);
    return metaspace;
  }

  private static Map<String, Object> prependAndReplace() {
    Map<String, Object> prepend = new LinkedHashMap<>();
    prepend.put("type", "Prepend");
    prepend.put("prepend", SPACE);
    return sequence("normalizers", List.of(prepend, replace(" ", SPACE)));
  }

  private static Map<String, Object> decoder(boolean prefix) {
    Map<String, Object> bytes = Map.of("type", "ByteFallback");
    Map<String, Object> fuse = Map.of("type", "Fuse");
    if (!prefix) {
      return sequence("decoders", List.of(replace(SPACE, " "), bytes, fuse));
    }
    Map<String, Object> strip = new LinkedHashMap<>();
    strip.put("type", "Strip");
    strip.put("content", " ");
    strip.put("start", 1);
    strip.put("stop", 0);
    return sequence("decoders", List.of(replace(SPACE, " "), bytes, fuse, strip));
  }

  private static Map<String, Object> replace(String what, String by) {
    Map<String, Object> replace = new LinkedHashMap<>();
    replace.put("type", "Replace");
    replace.put("pattern", Map.of("String", what));
    replace.put("content", by);
    return replace;
  }

  private static Map<String, Object> sequence(String field, List<Object> parts) {
    Map<String, Object> sequence = new LinkedHashMap<>();
    sequence.put("type", "Sequence");
    sequence.put(field, parts);
    return sequence;
  }
}
