package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.model.FamilyFixtures;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.quant.BitsAndBytesConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A step of LoRA on every family, through every kind of checkpoint but dense safetensors, which
 * {@link FamilyLoraTest} has (src/test/python/make_format_lora.py).
 */
@ExtendWith(OneThread.class)
class CheckpointLoraTest {
  private static final List<String> FOUR_BIT =
      List.of("nf4_nested", "nf4_flat", "fp4_nested", "fp4_flat");
  private static final String CHECKSUM = "crc32.";
  private static final String LORA = ".lora";

  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(CheckpointLoraTest.class.getResource("/" + name)).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> names(String folder) {
    try (Stream<Path> entries = Files.list(resource(folder))) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> families() {
    return names("checkpoints");
  }

  private static Stream<Arguments> inFourBits() {
    return families().stream()
        .flatMap(family -> FOUR_BIT.stream().map(kind -> Arguments.of(family, kind)));
  }

  private static Stream<String> asGguf() {
    return names("gguf").stream()
        .filter(name -> name.endsWith(LORA))
        .map(name -> name.substring(0, name.length() - LORA.length()));
  }

  @ParameterizedTest
  @MethodSource("families")
  void ofATorchArchive(String name) throws IOException {
    Path family = resource("families/" + name);
    Files.copy(family.resolve("config.json"), directory.resolve("config.json"));
    Files.copy(
        resource("checkpoints/" + name + "/pytorch_model.bin"),
        directory.resolve("pytorch_model.bin"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = PretrainedModel.load(directory, LoadOptions.stored())) {
      LoraStep.assertThatOfPeft(loaded, family.resolve("adapter"), FamilyFixtures.expected(family));
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void ofAFourBitCheckpointOfTransformers(String name) {
    Path checkpoints = resource("checkpoints/" + name);
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(checkpoints.resolve("nf4"), LoadOptions.stored())) {
      LoraStep.assertThatOfPeft(
          loaded,
          resource("families/" + name + "/adapter"),
          TensorFile.read(checkpoints.resolve("nf4_nested.safetensors")));
    }
  }

  /** What is quantised and saved here has the bits that transformers saves; then it is loaded. */
  @ParameterizedTest
  @MethodSource("inFourBits")
  void ofAFourBitCheckpointWithTheBitsOfTransformers(String name, String kind) {
    Path family = resource("families/" + name);
    Path expected = resource("checkpoints/" + name + "/" + kind + ".safetensors");
    Map<String, String> stated = SafetensorsFile.open(expected).metadata();
    Map<String, Object> config = StrictJson.parseObject(stated.get("config"), "config");
    LoadOptions packed =
        LoadOptions.stored().withQuantization(BitsAndBytesConfig.parse(config).orElseThrow());
    try (PretrainedModel loaded = PretrainedModel.load(family, packed)) {
      loaded.save(directory.resolve("saved"), DType.FLOAT32);
    }
    Map<String, Object> saved =
        StrictJson.readObject(directory.resolve("saved").resolve("config.json"));
    assertEquals(config, saved.get("quantization_config"));
    Map<String, String> checksums = new TreeMap<>();
    stated.forEach((key, value) -> {
      if (key.startsWith(CHECKSUM)) {
        checksums.put(key.substring(CHECKSUM.length()), value);
      }
    });
    assertEquals(checksums, checksums(directory.resolve("saved/model.safetensors")));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(directory.resolve("saved"), LoadOptions.stored())) {
      LoraStep.assertThatOfPeft(loaded, family.resolve("adapter"), TensorFile.read(expected));
    }
  }

  private static Map<String, String> checksums(Path file) {
    Map<String, String> sums = new TreeMap<>();
    try (TensorScope _ = TensorScope.open()) {
      for (Map.Entry<String, Tensor> entry : TensorFile.read(file).entrySet()) {
        CRC32 sum = new CRC32();
        sum.update(entry.getValue().segment().asByteBuffer());
        sums.put(entry.getKey(), "%08x".formatted(sum.getValue()));
      }
    }
    return sums;
  }

  @ParameterizedTest
  @MethodSource("asGguf")
  void ofAGguf(String name) {
    Path lora = resource("gguf/" + name + LORA);
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(
                resource("gguf/" + name + ".gguf"),
                LoadOptions.stored().withDtype(DType.FLOAT32))) {
      LoraStep.assertThatOfPeft(loaded, lora.resolve("adapter"), FamilyFixtures.expected(lora));
    }
  }
}
