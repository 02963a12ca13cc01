package dev.panatune.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Describes a SentencePiece vocabulary of scores ({@code tokenizer.ggml.model} llama). */
final class SentencePieceBpe {
  private static final String SPACE = "\u2581";

  private SentencePieceBpe() {}

  private record Merge(String left, String right, double score) {
    private static final Comparator<Merge> BEST_FIRST =
        Comparator.comparingDouble(Merge::score)
            .thenComparingInt(merge -> length(merge.left))
            .thenComparingInt(merge -> length(merge.right))
            .reversed();

    private static int length(String text) {
      return text.codePointCount(0, text.length());
    }
  }

  /** Normalizer, pre_tokenizer, decoder and model of the tokenizer.json. */
  static Map<String, Object> describe(GgufVocabulary vocabulary) {
    boolean prefix = vocabulary.addsSpacePrefix();
    Map<String, Object> metaspace = new LinkedHashMap<>();
    metaspace.put("type", "Metaspace");
    metaspace.put("replacement", SPACE);
    metaspace.put("prepend_scheme", prefix ? "first" : "never");
    metaspace.put("split", false);
    Map<String, Object> parts = new LinkedHashMap<>();
    parts.put("pre_tokenizer", metaspace);
    parts.put("decoder", decoder(prefix));
    parts.put(
        "model", BpeModel.describe(vocabulary.tokens(), merges(vocabulary), null, true, false));
    return parts;
  }

  private static Map<String, Object> decoder(boolean prefix) {
    List<Object> steps = new ArrayList<>();
    Map<String, Object> replace = new LinkedHashMap<>();
    replace.put("type", "Replace");
    replace.put("pattern", Map.of("String", SPACE));
    replace.put("content", " ");
    steps.add(replace);
    steps.add(Map.of("type", "ByteFallback"));
    steps.add(Map.of("type", "Fuse"));
    if (prefix) {
      Map<String, Object> strip = new LinkedHashMap<>();
      strip.put("type", "Strip");
      strip.put("content", " ");
      strip.put("start", 1);
      strip.put("stop", 0);
      steps.add(strip);
    }
    Map<String, Object> decoder = new LinkedHashMap<>();
    decoder.put("type", "Sequence");
    decoder.put("decoders", steps);
    return decoder;
  }

  /** The merges that the file lists, or those that its scores imply, best first. */
  private static List<List<String>> merges(GgufVocabulary vocabulary) {
    if (!vocabulary.merges().isEmpty()) {
      return vocabulary.merges().stream().map(merge -> List.of(merge.split(" ", 2))).toList();
    }
    List<String> tokens = vocabulary.tokens();
    double[] scores = vocabulary.scores();
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      ids.put(tokens.get(id), id);
    }
    List<Merge> merges = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id);
      List<Merge> ways = new ArrayList<>();
      for (int cut = 1; cut < token.length(); cut++) {
        String left = token.substring(0, cut);
        String right = token.substring(cut);
        if (ids.containsKey(left) && ids.containsKey(right)) {
          ways.add(new Merge(left, right, id < scores.length ? scores[id] : 0));
        }
      }
      ways.sort(
          Comparator.comparingInt((Merge way) -> ids.get(way.left()))
              .thenComparingInt(way -> ids.get(way.right())));
      merges.addAll(ways);
    }
    merges.sort(Merge.BEST_FIRST);
    return merges.stream().map(merge -> List.of(merge.left(), merge.right())).toList();
  }
}
