package dev.panatune.text;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The model of a tokenizer.json that merges pairs. */
final class BpeModel {
  private BpeModel() {}

  /**
   * Describes it.
   *
   * @param tokens by id
   * @param merges pairs in the order in which they are merged
   * @param unknown the token for what the vocabulary lacks; null where it lacks nothing
   * @param byteFallback whether such characters are spelled in tokens of single bytes
   * @param ignoreMerges whether a word that is a token is taken whole
   */
  static Map<String, Object> describe(
      List<String> tokens,
      List<List<String>> merges,
      String unknown,
      boolean byteFallback,
      boolean ignoreMerges) {
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      ids.put(tokens.get(id), id);
    }
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("type", "BPE");
    model.put("dropout", null);
    model.put("unk_token", unknown);
    model.put("continuing_subword_prefix", null);
    model.put("end_of_word_suffix", null);
    model.put("fuse_unk", byteFallback);
    model.put("byte_fallback", byteFallback);
    model.put("ignore_merges", ignoreMerges);
    model.put("vocab", ids);
    model.put("merges", merges);
    return model;
  }
}
