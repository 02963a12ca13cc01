package dev.panatune.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A tokenizer whose tokens are the bytes of a text and three special ones, with a chat template.
 */
public final class ByteTokenizer {
  /** The number of tokens. */
  public static final int VOCABULARY = 259;

  /** The id of the token that ends a turn. */
  public static final int END_OF_TURN = 257;

  private static final List<String> SPECIAL = List.of("<|im_start|>", "<|im_end|>", "<|end|>");
  private static final String TEMPLATE =
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n"
          + "' + message['content'] + '<|im_end|>' + '\\n"
          + "' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n"
          + "' }}{% endif %}";

  private ByteTokenizer() {}

  /** Writes tokenizer.json and tokenizer_config.json into a directory. */
  public static Path save(Path directory) throws IOException {
    ObjectMapper json = new ObjectMapper();
    json.writeValue(directory.resolve("tokenizer.json").toFile(), tokenizer());
    json.writeValue(
        directory.resolve("tokenizer_config.json").toFile(),
        Map.of(
            "tokenizer_class", "PreTrainedTokenizerFast",
            "eos_token", "<|im_end|>",
            "pad_token", "<|end|>",
            "chat_template", TEMPLATE));
    return directory;
  }

  private static Map<String, Object> tokenizer() {
    Map<String, Object> vocabulary = new LinkedHashMap<>();
    for (int code = 0; code < 256; code++) {
      vocabulary.put(symbol(code), code);
    }
    List<Map<String, Object>> added = new ArrayList<>();
    for (int i = 0; i < SPECIAL.size(); i++) {
      Map<String, Object> token = new LinkedHashMap<>();
      token.put("id", 256 + i);
      token.put("content", SPECIAL.get(i));
      token.put("single_word", false);
      token.put("lstrip", false);
      token.put("rstrip", false);
      token.put("normalized", false);
      token.put("special", true);
      added.add(token);
    }
    Map<String, Object> byteLevel =
        Map.of(
            "type",
            "ByteLevel",
            "add_prefix_space",
            false,
            "trim_offsets",
            true,
            "use_regex",
            true);
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("type", "BPE");
    model.put("dropout", null);
    model.put("unk_token", null);
    model.put("continuing_subword_prefix", null);
    model.put("end_of_word_suffix", null);
    model.put("fuse_unk", false);
    model.put("byte_fallback", false);
    model.put("ignore_merges", false);
    model.put("vocab", vocabulary);
    model.put("merges", List.of());
    Map<String, Object> tokenizer = new LinkedHashMap<>();
    tokenizer.put("version", "1.0");
    tokenizer.put("truncation", null);
    tokenizer.put("padding", null);
    tokenizer.put("added_tokens", added);
    tokenizer.put("normalizer", null);
    tokenizer.put("pre_tokenizer", byteLevel);
    tokenizer.put("post_processor", null);
    tokenizer.put("decoder", byteLevel);
    tokenizer.put("model", model);
    return tokenizer;
  }

  /** The character that byte-level tokenizers write a byte as. */
  private static String symbol(int code) {
    boolean shown = code > 32 && code < 127 || code > 160 && code != 173;
    if (shown) {
      return String.valueOf((char) code);
    }
    int hidden = 0;
    for (int before = 0; before < code; before++) {
      boolean beforeShown = before > 32 && before < 127 || before > 160 && before != 173;
      hidden += beforeShown ? 0 : 1;
    }
    return String.valueOf((char) (256 + hidden));
  }
}
