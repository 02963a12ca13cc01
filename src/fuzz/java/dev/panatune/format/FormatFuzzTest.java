package dev.panatune.format;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/**
 * Fuzz targets: any bytes are read or refused by a {@link FormatException}, and nothing else
 * happens. CONTRIBUTING tells how to fuzz; in the build the committed inputs are replayed.
 */
class FormatFuzzTest {
  private static Path directory;

  @BeforeAll
  static void makeTheDirectory() throws IOException {
    directory = Files.createTempDirectory("fuzz");
    Files.copy(
        Fixtures.path("sharded/model-00001-of-00002.safetensors"),
        directory.resolve("model-00001-of-00002.safetensors"));
  }

  @AfterAll
  static void removeTheDirectory() throws IOException {
    try (var files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(directory);
  }

  @FuzzTest(maxDuration = "10m")
  void safetensors(byte[] bytes) throws IOException {
    inspect("fuzz.safetensors", bytes);
  }

  @FuzzTest(maxDuration = "10m")
  void gguf(byte[] bytes) throws IOException {
    inspect("fuzz.gguf", bytes);
  }

  @FuzzTest(maxDuration = "10m")
  void torchArchive(byte[] bytes) throws IOException {
    Path file = Files.write(directory.resolve("fuzz.pt"), bytes);
    try {
      TorchFile.open(file);
    } catch (FormatException refused) {
      return;
    }
  }

  /** The pickle alone, in an archive that is right. */
  @FuzzTest(maxDuration = "10m")
  void torchPickle(byte[] bytes) throws IOException {
    Path file = TorchBytes.archive(directory, bytes, 8);
    try {
      TorchFile.open(file);
    } catch (FormatException refused) {
      return;
    } finally {
      Files.delete(file);
    }
  }

  @FuzzTest(maxDuration = "10m")
  void shardIndex(byte[] bytes) throws IOException {
    inspect("fuzz.safetensors.index.json", bytes);
  }

  private static void inspect(String name, byte[] bytes) throws IOException {
    Path file = Files.write(directory.resolve(name), bytes);
    try {
      Inspection.of(file);
    } catch (FormatException refused) {
      return;
    }
  }
}
