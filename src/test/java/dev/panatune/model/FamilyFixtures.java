package dev.panatune.model;

import dev.panatune.format.TensorFile;
import dev.panatune.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** A model of each family, and what transformers and PEFT compute with it. */
public final class FamilyFixtures {
  private FamilyFixtures() {}

  /** Returns the directories in {@code src/test/resources/families}. */
  public static List<Path> all() {
    try (Stream<Path> directories =
        Files.list(
            Path.of(
                Objects.requireNonNull(FamilyFixtures.class.getResource("/families")).toURI()))) {
      return directories.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** Returns what Python computed, in the innermost scope. */
  public static Map<String, Tensor> expected(Path directory) {
    return TensorFile.read(directory.resolve("expected.safetensors"));
  }

  /** Returns all tokens of the rows as a batch; the caller closes it. */
  public static Batch batch(Tensor ids) {
    int width = (int) ids.size(1);
    int[] flat = Arrays.stream(ids.toLongs()).mapToInt(Math::toIntExact).toArray();
    List<int[]> rows = new ArrayList<>();
    for (int start = 0; start < flat.length; start += width) {
      rows.add(Arrays.copyOfRange(flat, start, start + width));
    }
    return Batch.of(rows, rows, 0);
  }

  /** Returns the largest difference by the largest expected value. */
  public static double difference(Tensor actual, Tensor expected) {
    return actual.sub(expected).abs().max().item() / expected.abs().max().item();
  }
}
