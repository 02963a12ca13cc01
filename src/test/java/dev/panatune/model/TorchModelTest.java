package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model in shards of torch.save is the model that its safetensors hold. */
class TorchModelTest {
  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(TorchModelTest.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void shardsWithSharedAndStridedStoragesLoad() throws IOException {
    try (Stream<Path> shards = Files.list(resource("torch/untied"))) {
      for (Path shard : shards.toList()) {
        Files.copy(shard, directory.resolve(shard.getFileName()));
      }
    }
    Path original = resource("parity/untied");
    Files.copy(original.resolve("config.json"), directory.resolve("config.json"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel expected = PretrainedModel.load(original, LoadOptions.stored());
        PretrainedModel found = PretrainedModel.load(directory, LoadOptions.stored())) {
      Map<String, Tensor> weights = expected.model().namedParameters();
      assertEquals(weights.keySet(), found.model().namedParameters().keySet());
      weights.forEach((name, weight) ->
          assertArrayEquals(
              weight.toBytes(), found.model().namedParameters().get(name).toBytes(), name));
    }
  }
}
