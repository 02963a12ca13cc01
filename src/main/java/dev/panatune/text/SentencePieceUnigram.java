package dev.panatune.text;

import dev.panatune.error.FormatException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Describes a SentencePiece vocabulary of which the most probable pieces are taken ({@code
 * tokenizer.ggml.model} t5; Kudo, 2018, arXiv:1804.10959).
 */
final class SentencePieceUnigram {
  private SentencePieceUnigram() {}

  /**
   * Pre_tokenizer, decoder and model of the tokenizer.json.
   *
   * @throws FormatException if the texts are changed before they are cut
   */
  static Map<String, Object> describe(GgufVocabulary vocabulary) {
    if (vocabulary.changesTexts()) {
      throw new FormatException(
          "the GGUF metadata has tokenizer.ggml.precompiled_charsmap or"
              + " tokenizer.ggml.remove_extra_whitespaces, which are not supported");
    }
    String scheme = vocabulary.addsSpacePrefix() ? "always" : "never";
    Map<String, Object> decoder = new LinkedHashMap<>();
    decoder.put("type", "Sequence");
    decoder.put("decoders", List.of(Map.of("type", "ByteFallback"), metaspace(scheme)));
    Map<String, Object> parts = new LinkedHashMap<>();
    parts.put("pre_tokenizer", metaspace(scheme));
    parts.put("decoder", decoder);
    parts.put("model", model(vocabulary));
    return parts;
  }

  private static Map<String, Object> metaspace(String scheme) {
    Map<String, Object> metaspace = new LinkedHashMap<>();
    metaspace.put("type", "Metaspace");
    metaspace.put("replacement", SentencePieceBpe.SPACE);
    metaspace.put("prepend_scheme", scheme);
    metaspace.put("split", true);
    return metaspace;
  }

  private static Map<String, Object> model(GgufVocabulary vocabulary) {
    double[] scores = vocabulary.scores();
    if (scores.length == 0) {
      throw new FormatException("the GGUF metadata has no tokenizer.ggml.scores");
    }
    int size = vocabulary.tokens().size();
    while (size > 0 && vocabulary.isUnused(size - 1)) {
      size--;
    }
    List<Object> pieces = new ArrayList<>(size);
    boolean bytes = false;
    for (int id = 0; id < size; id++) {
      pieces.add(List.of(vocabulary.tokens().get(id), scores[id]));
      bytes |= vocabulary.isByte(id);
    }
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("type", "Unigram");
    int unknown = vocabulary.id("unknown_token_id").orElse(-1);
    model.put("unk_id", unknown < 0 ? null : unknown);
    model.put("vocab", pieces);
    model.put("byte_fallback", bytes);
    return model;
  }
}
