package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files with a few bytes changed are read or refused, and nothing else happens. */
class MutatedFilesTest {
  private static final int VARIANTS = 1000;
  private static final byte[] TELLING =
      "0123456789-.eE\"[]{}:,\\ \0".getBytes(StandardCharsets.US_ASCII);

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "all_types.safetensors, 1000",
    "all_types.gguf, 1900",
    "../torch/all.pt, 10681",
    "sharded/model.safetensors.index.json, 240"
  })
  void areReadOrRefused(String name, int headerBytes) throws IOException {
    byte[] original = Files.readAllBytes(Fixtures.path(name));
    Path file = directory.resolve(Fixtures.path(name).getFileName());
    for (int variant = 0; variant < VARIANTS; variant++) {
      Files.write(file, mutated(original, headerBytes, new SplittableRandom(variant)));
      try {
        Inspection.of(file);
      } catch (FormatException refused) {
        continue;
      } catch (RuntimeException | Error e) {
        throw new AssertionError(name + ", variant " + variant, e);
      }
    }
  }

  private static byte[] mutated(byte[] original, int headerBytes, SplittableRandom random) {
    byte[] bytes = original.clone();
    int changes = 1 + random.nextInt(3);
    for (int i = 0; i < changes; i++) {
      byte value =
          random.nextBoolean()
              ? TELLING[random.nextInt(TELLING.length)]
              : (byte) random.nextInt(256);
      bytes[random.nextInt(headerBytes)] = value;
    }
    return bytes;
  }
}
