package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every family from torch.save and from bitsandbytes checkpoints
 * (src/test/python/make_format_families.py); from safetensors by {@link FamilyTest}, from GGUF by
 * {@link GgufFamiliesTest}.
 */
@ExtendWith(OneThread.class)
class CheckpointFamiliesTest {
  private static final double LOGITS = 2e-5;

  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(CheckpointFamiliesTest.class.getResource("/" + name)).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static Stream<String> families() throws IOException {
    try (Stream<Path> folders = Files.list(resource("checkpoints"))) {
      return folders.map(folder -> folder.getFileName().toString()).sorted().toList().stream();
    }
  }

  private static void assertLogits(Path model, Map<String, Tensor> expected) {
    try (PretrainedModel loaded = PretrainedModel.load(model, LoadOptions.stored())) {
      double error =
          FamilyFixtures.difference(
              loaded.model().logits(expected.get("ids")), expected.get("logits"));
      assertTrue(error <= LOGITS, "logits differ by " + error);
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void torchArchivesHaveTheLogitsOfTransformers(String name) throws IOException {
    Path family = resource("families/" + name);
    Files.copy(family.resolve("config.json"), directory.resolve("config.json"));
    Files.copy(
        resource("checkpoints/" + name + "/pytorch_model.bin"),
        directory.resolve("pytorch_model.bin"));
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      assertLogits(directory, FamilyFixtures.expected(family));
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void fourBitCheckpointsHaveTheLogitsOfTransformersAndComeBack(String name) {
    Path stored = resource("checkpoints/" + name + "/nf4");
    Path saved = directory.resolve("saved");
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      assertLogits(stored, TensorFile.read(stored.resolve("logits.safetensors")));
      try (PretrainedModel loaded = PretrainedModel.load(stored, LoadOptions.stored())) {
        loaded.save(saved, DType.FLOAT32);
      }
      Map<String, Tensor> before = TensorFile.read(stored.resolve("model.safetensors"));
      Map<String, Tensor> after = TensorFile.read(saved.resolve("model.safetensors"));
      assertEquals(before.keySet(), after.keySet());
      before.forEach((key, tensor) -> assertTrue(tensor.equal(after.get(key)), key));
    }
  }
}
