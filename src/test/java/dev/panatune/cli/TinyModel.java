package dev.panatune.cli;

import dev.panatune.data.ByteTokenizer;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.model.ModelSaver;
import dev.panatune.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A model with random weights whose tokens are bytes: whole, and small enough to train in a test.
 */
public final class TinyModel {
  private TinyModel() {}

  /** Saves the model as a Hugging Face directory. */
  static Path save(Path directory) throws IOException {
    return save(directory, Map.of());
  }

  /** Saves the model with some fields of its configuration changed. */
  public static Path save(Path directory, Map<String, Object> changes) throws IOException {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("model_type", "llama");
    config.put("vocab_size", ByteTokenizer.VOCABULARY);
    config.put("hidden_size", 64);
    config.put("intermediate_size", 96);
    config.put("num_hidden_layers", 2);
    config.put("num_attention_heads", 4);
    config.put("num_key_value_heads", 2);
    config.put("max_position_embeddings", 512);
    config.put("initializer_range", 0.1);
    config.put("tie_word_embeddings", true);
    config.put("eos_token_id", ByteTokenizer.END_OF_TURN);
    config.putAll(changes);
    try (CausalLM model = CausalLM.random(ModelConfig.fromHuggingFace(config), 11)) {
      new ModelSaver(
              model,
              Optional.empty(),
              Map.of("eos_token_id", ByteTokenizer.END_OF_TURN),
              DType.FLOAT32)
          .save(directory);
    }
    ByteTokenizer.save(directory);
    return directory;
  }

  /** Writes rows that the model can learn by heart. */
  static Path rows(Path file, int count) throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String letter = String.valueOf((char) ('a' + i % 26));
      lines.add(
          "{\"instruction\": \"Say %s.\", \"output\": \"%s\"}".formatted(letter, letter.repeat(6)));
    }
    return Files.write(file, lines);
  }
}
