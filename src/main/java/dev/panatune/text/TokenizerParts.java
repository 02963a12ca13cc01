package dev.panatune.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.panatune.error.FormatException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Checks the parts of a tokenizer.json before the native library sees them: what it does not expect
 * there ends the whole process, without an error that could be caught.
 */
final class TokenizerParts {
  private static final Map<String, Set<String>> KNOWN =
      Map.of(
          "normalizer",
          Set.of(
              "Sequence",
              "NFC",
              "NFD",
              "NFKC",
              "NFKD",
              "Lowercase",
              "Strip",
              "StripAccents",
              "Replace",
              "Prepend",
              "BertNormalizer",
              "Nmt",
              "ByteLevel"),
          "pre_tokenizer",
          Set.of(
              "Sequence",
              "ByteLevel",
              "BertPreTokenizer",
              "Metaspace",
              "Whitespace",
              "WhitespaceSplit",
              "Split",
              "Punctuation",
              "Digits",
              "UnicodeScripts",
              "CharDelimiterSplit"),
          "post_processor",
          Set.of(
              "Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"),
          "decoder",
          Set.of(
              "Sequence",
              "ByteLevel",
              "Metaspace",
              "ByteFallback",
              "Fuse",
              "Strip",
              "Replace",
              "WordPiece",
              "BPEDecoder",
              "CTC"));

  /** The library takes a post-processor for what its fields say, whatever its type says. */
  private static final Map<String, Set<String>> FIELDS_OF_POST_PROCESSORS =
      Map.of(
          "Sequence", Set.of("type", "processors"),
          "ByteLevel", Set.of("type", "add_prefix_space", "trim_offsets", "use_regex"),
          "TemplateProcessing", Set.of("type", "single", "pair", "special_tokens"),
          "BertProcessing", Set.of("type", "sep", "cls"),
          "RobertaProcessing", Set.of("type", "sep", "cls", "trim_offsets", "add_prefix_space"));

  private static final int LONGEST_INSERTION = 16;
  private static final int LARGEST_GROWTH = 16;
  private static final int DEEPEST = 10;

  private final String source;
  private int growth = 1;

  /**
   * Creates it for one file.
   *
   * @param source what the file is, for the message of an error
   */
  TokenizerParts(String source) {
    this.source = source;
  }

  static boolean checks(String part) {
    return KNOWN.containsKey(part);
  }

  /**
   * Checks one of the parts that {@link #checks} names.
   *
   * @throws FormatException if it is of an unknown kind or could end the process
   */
  void check(String part, JsonNode node) {
    check(part, node, 0);
  }

  private void check(String part, JsonNode node, int depth) {
    if (node.isNull()) {
      return;
    }
    String type = node.path("type").asText();
    require(depth < DEEPEST, part, "nests deeper than " + DEEPEST);
    require(KNOWN.get(part).contains(type), part, "of type '" + type + "' is not supported");
    if (part.equals("post_processor")) {
      checkFields(part, node, FIELDS_OF_POST_PROCESSORS.get(type));
    }
    for (String list : Set.of("normalizers", "pretokenizers", "processors", "decoders")) {
      for (JsonNode inner : node.path(list)) {
        check(part, inner, depth + 1);
      }
    }
    JsonNode regex = node.path("pattern").path("Regex");
    require(
        regex.isMissingNode() || RegexBounds.holds(regex.asText()),
        part,
        "has an expression that could search without end: " + regex.asText());
    switch (type) {
      case "Replace" -> checkReplacement(part, node);
      case "Prepend" ->
          require(
              node.path("prepend").asText().length() <= LONGEST_INSERTION,
              part,
              "prepends more than " + LONGEST_INSERTION + " characters");
      case "TemplateProcessing" -> checkTemplate(part, node);
      case "Strip" ->
          // The library reads before the start of a token that holds nothing else.
          require(
              !part.equals("decoder") || node.path("stop").asText().equals("0"),
              part,
              "strips the ends of tokens, which is not supported");
      default -> {}
    }
  }

  private void checkFields(String part, JsonNode node, Set<String> known) {
    node.fieldNames()
        .forEachRemaining(field ->
            require(
                known.contains(field),
                part,
                "of type '%s' has no '%s'".formatted(node.path("type").asText(), field)));
  }

  private void checkReplacement(String part, JsonNode node) {
    int length = node.path("content").asText().length();
    require(length <= LONGEST_INSERTION, part, "replaces by a text that is too long");
    growth *= Math.max(1, length);
    require(growth <= LARGEST_GROWTH, part, "makes a text longer again and again");
  }

  private void checkTemplate(String part, JsonNode node) {
    Set<String> known = new HashSet<>();
    node.path("special_tokens").fieldNames().forEachRemaining(known::add);
    checkTemplate(part, node.path("single"), Set.of("A"), known);
    checkTemplate(part, node.path("pair"), Set.of("A", "B"), known);
    for (JsonNode token : node.path("special_tokens")) {
      require(
          token.path("ids").size() == token.path("tokens").size(),
          part,
          "has a special token with more ids than texts");
    }
  }

  private void checkTemplate(
      String part, JsonNode pieces, Set<String> sequences, Set<String> tokens) {
    for (JsonNode piece : pieces) {
      String token = piece.path("SpecialToken").path("id").asText("");
      String sequence = piece.path("Sequence").path("id").asText("");
      require(
          tokens.contains(token) || sequences.contains(sequence),
          part,
          "names a sequence or a token that is not there: " + piece);
    }
  }

  private void require(boolean condition, String part, String problem) {
    if (!condition) {
      throw new FormatException(source + ": the " + part + " " + problem);
    }
  }
}
