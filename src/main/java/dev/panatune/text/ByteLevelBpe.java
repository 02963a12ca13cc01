package dev.panatune.text;

import dev.panatune.error.FormatException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Describes a byte-level BPE vocabulary ({@code tokenizer.ggml.model} gpt2). */
final class ByteLevelBpe {
  private ByteLevelBpe() {}

  /** Normalizer, pre_tokenizer, decoder and model of the tokenizer.json. */
  static Map<String, Object> describe(GgufVocabulary vocabulary) {
    String pre = vocabulary.preTokenizer();
    Map<String, Object> parts = new LinkedHashMap<>();
    parts.put("pre_tokenizer", PreTokenizers.describe(pre));
    parts.put("decoder", PreTokenizers.byteLevel(true));
    parts.put(
        "model",
        BpeModel.describe(
            vocabulary.tokens(),
            merges(vocabulary),
            null,
            false,
            PreTokenizers.ignoresMerges(pre)));
    return parts;
  }

  private static List<List<String>> merges(GgufVocabulary vocabulary) {
    List<List<String>> merges = new ArrayList<>();
    for (String merge : vocabulary.merges()) {
      int space = merge.indexOf(' ');
      if (space <= 0 || space == merge.length() - 1 || merge.indexOf(' ', space + 1) >= 0) {
        throw new FormatException(
            "number " + merges.size() + " of tokenizer.ggml.merges is not two tokens");
      }
      merges.add(List.of(merge.substring(0, space), merge.substring(space + 1)));
    }
    return merges;
  }
}
