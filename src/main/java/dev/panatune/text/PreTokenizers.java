package dev.panatune.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * How byte-level vocabularies cut a text before merging, by the name that GGUF files give in {@code
 * tokenizer.ggml.pre}. The rules are llama.cpp's, which are those of the models' own
 * tokenizer.json.
 */
final class PreTokenizers {
  private static final String LLAMA3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String QWEN2 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String QWEN35 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String TEKKEN =
      "[^\\r\\n\\p{L}\\p{N}]?"
          + UPPER
          + "*"
          + LOWER
          + "+"
          + "|[^\\r\\n\\p{L}\\p{N}]?"
          + UPPER
          + "+"
          + LOWER
          + "*"
          + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String GPT4O =
      "[^\\r\\n\\p{L}\\p{N}]?"
          + UPPER
          + "*"
          + LOWER
          + "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
          + "|[^\\r\\n\\p{L}\\p{N}]?"
          + UPPER
          + "+"
          + LOWER
          + "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
          + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final Set<String> LLAMA3_NAMES =
      Set.of(
          "llama3",
          "llama-v3",
          "llama-bpe",
          "falcon3",
          "falcon-h1",
          "pixtral",
          "midm-2.0",
          "lfm2",
          "jina-v5-nano");

  /** The expression of {@code ByteLevel} itself. */
  private static final Set<String> GPT2_NAMES =
      Set.of(
          "default",
          "gpt-2",
          "phi-2",
          "jina-es",
          "jina-de",
          "gigachat",
          "jina-v2-es",
          "jina-v2-de",
          "a.x-4.0",
          "mellum",
          "modern-bert",
          "roberta-bpe",
          "mpt",
          "olmo",
          "jais",
          "trillion",
          "granite-docling");

  /** Each digit for itself, then the expression of {@code ByteLevel}. */
  private static final Set<String> DIGIT_NAMES =
      Set.of("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b");

  private static final Map<String, String> SPLITS = splits();
  private static final ObjectMapper JSON = new ObjectMapper();

  private PreTokenizers() {}

  private static Map<String, String> splits() {
    Map<String, String> splits = new LinkedHashMap<>();
    LLAMA3_NAMES.forEach(name -> splits.put(name, LLAMA3));
    List.of("dbrx", "smaug-bpe", "glm4", "chatglm-bpe").forEach(name -> splits.put(name, LLAMA3));
    List.of(
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "stablelm2",
            "hunyuan",
            "solar-open")
        .forEach(name -> splits.put(name, QWEN2));
    splits.put("qwen35", QWEN35);
    splits.put("tekken", TEKKEN);
    List.of("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2")
        .forEach(name -> splits.put(name, GPT4O));
    return splits;
  }

  static boolean isLlama3(String name) {
    return LLAMA3_NAMES.contains(name);
  }

  /** Whether a word that is a token is taken whole, without its merges. */
  static boolean ignoresMerges(String name) {
    return isLlama3(name) || name.equals("tekken");
  }

  /**
   * The pre_tokenizer of a tokenizer.json.
   *
   * @throws FormatException for a name that is not known
   */
  static Map<String, Object> describe(String name) {
    if (GPT2_NAMES.contains(name)) {
      return byteLevel(true);
    }
    if (DIGIT_NAMES.contains(name)) {
      Map<String, Object> digits = new LinkedHashMap<>();
      digits.put("type", "Digits");
      digits.put("individual_digits", true);
      return sequence(digits, byteLevel(true));
    }
    String expression = SPLITS.get(name);
    if (expression == null) {
      Set<String> known = new TreeSet<>(SPLITS.keySet());
      known.addAll(GPT2_NAMES);
      known.addAll(DIGIT_NAMES);
      throw new FormatException(
          "tokenizer.ggml.pre is '"
              + name
              + "', which is not known; known are "
              + String.join(", ", known));
    }
    Map<String, Object> split = new LinkedHashMap<>();
    split.put("type", "Split");
    split.put("pattern", Map.of("Regex", expression));
    split.put("behavior", "Isolated");
    split.put("invert", false);
    return sequence(split, byteLevel(false));
  }

  /**
   * The name of the pre_tokenizer of a tokenizer.json; the inverse of {@link #describe}.
   *
   * @param ignoresMerges whether a word that is a token is taken whole
   * @throws ConfigurationException if there is no name for it
   */
  static String name(JsonNode preTokenizer, boolean ignoresMerges) {
    String rule = rule(preTokenizer);
    List<String> names =
        List.of("gpt-2", "smollm", "llama-bpe", "smaug-bpe", "qwen2", "qwen35", "tekken", "gpt-4o");
    for (String name : names) {
      if (rule(JSON.valueToTree(describe(name))).equals(rule)
          && ignoresMerges(name) == ignoresMerges) {
        return name;
      }
    }
    throw new ConfigurationException(
        "GGUF has no name for the tokenizer's pre_tokenizer: " + preTokenizer);
  }

  /** What a pre_tokenizer does, without what makes no difference to the pieces. */
  private static String rule(JsonNode part) {
    return switch (part.path("type").asText()) {
      case "Sequence" -> {
        StringBuilder rules = new StringBuilder();
        part.path("pretokenizers").forEach(inner -> rules.append(rule(inner)));
        yield rules.toString();
      }
      case "Split" ->
          "split %s %s %s;"
              .formatted(part.path("pattern"), part.path("behavior"), part.path("invert"));
      case "Digits" -> "digits " + part.path("individual_digits") + ";";
      case "ByteLevel" ->
          "bytes %s %s;"
              .formatted(
                  part.path("add_prefix_space").asBoolean(true),
                  part.path("use_regex").asBoolean(true));
      default -> part.toString();
    };
  }

  private static Map<String, Object> sequence(Object... parts) {
    Map<String, Object> sequence = new LinkedHashMap<>();
    sequence.put("type", "Sequence");
    sequence.put("pretokenizers", List.of(parts));
    return sequence;
  }

  /** The ByteLevel component, which also is a decoder. */
  static Map<String, Object> byteLevel(boolean splits) {
    Map<String, Object> part = new LinkedHashMap<>();
    part.put("type", "ByteLevel");
    part.put("add_prefix_space", false);
    part.put("trim_offsets", true);
    part.put("use_regex", splits);
    return part;
  }
}
