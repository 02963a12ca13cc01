package dev.panatune.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelFixtures;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.DType;
import java.io.IOException;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

/** Greedy continuations against those of transformers' {@code generate}. */
class GreedyParityTest {
  private static int[] ids(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
  }

  @Test
  void continuesAsTransformersDoes() throws IOException {
    JsonNode runs = new ObjectMapper().readTree(ModelFixtures.parity("greedy.json").toFile());
    assertEquals(3, runs.size());
    for (JsonNode run : runs) {
      int[] expected = ids(run.get("token_ids"));
      try (PretrainedModel model =
          PretrainedModel.load(
              ModelFixtures.parity(run.get("model").asText()),
              LoadOptions.stored().withDtype(DType.FLOAT32))) {
        GenerationConfig config =
            GenerationConfig.greedy(expected.length)
                .withRepetitionPenalty(run.get("repetition_penalty").asDouble());
        int[] prompt = ids(run.get("prompt_token_ids"));
        assertArrayEquals(
            expected,
            new Generator(model).generate(prompt, config).tokenIds(),
            () -> run.get("model").asText() + " with " + config);
      }
    }
  }
}
