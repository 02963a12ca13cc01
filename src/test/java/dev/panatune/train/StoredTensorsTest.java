package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.TensorFile;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoredTensorsTest {
  @TempDir private Path directory;
  private TensorScope scope;

  @BeforeEach
  void openScope() {
    scope = TensorScope.open();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  private SafetensorsIndex stored(Map<String, Tensor> tensors) {
    Path file = directory.resolve("stored.safetensors");
    TensorFile.write(file, tensors);
    return SafetensorsIndex.open(file);
  }

  private static SequencedMap<String, Tensor> map(String name, Tensor tensor) {
    return new LinkedHashMap<>(Map.of(name, tensor));
  }

  private static String refused(SafetensorsIndex stored, SequencedMap<String, Tensor> tensors) {
    return assertThrows(FormatException.class, () -> StoredTensors.copy(stored, tensors))
        .getMessage();
  }

  @Test
  void copiesIntoALeafInItsPlace() {
    SafetensorsIndex stored = stored(Map.of("a", Tensor.ofFloats(new float[] {1, 2}, 2)));
    Tensor leaf = Tensor.zeros(DType.FLOAT32, 2).requiresGrad(true);
    long address = leaf.address();
    StoredTensors.copy(stored, map("a", leaf));
    assertArrayEquals(new float[] {1, 2}, leaf.toFloats());
    assertEquals(address, leaf.address());
    assertTrue(leaf.requiresGrad());
  }

  @Test
  void whatDoesNotFitIsNamed() {
    SafetensorsIndex stored = stored(Map.of("a", Tensor.ofFloats(new float[] {1, 2}, 2)));
    String shape = refused(stored, map("a", Tensor.zeros(DType.FLOAT32, 3)));
    assertTrue(shape.endsWith("a is float32[2], and this run has float32[3]"), shape);
    String type = refused(stored, map("a", Tensor.zeros(DType.BFLOAT16, 2)));
    assertTrue(type.endsWith("a is float32[2], and this run has bfloat16[2]"), type);
    String unknown = refused(stored, map("b", Tensor.zeros(DType.FLOAT32, 2)));
    assertTrue(unknown.contains("has the tensor a, which this run does not train"), unknown);
    SequencedMap<String, Tensor> more = map("a", Tensor.zeros(DType.FLOAT32, 2));
    more.put("b", Tensor.zeros(DType.FLOAT32, 2));
    String missing = refused(stored, more);
    assertTrue(missing.contains("no tensor") && missing.contains("b"), missing);
  }
}
