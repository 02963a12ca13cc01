package dev.panatune.quant;

import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.TensorInfo;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/** What src/test/python/make_quant_fixtures.py saved. */
final class Fixture {
  private static final Map<String, DType> DTYPES =
      Map.of("F32", DType.FLOAT32, "BF16", DType.BFLOAT16, "F16", DType.FLOAT16, "U8", DType.UINT8);

  private final SafetensorsFile file;

  private Fixture(SafetensorsFile file) {
    this.file = file;
  }

  static Fixture open(String name) {
    try {
      Path path = Path.of(Fixture.class.getResource(name + ".safetensors").toURI());
      return new Fixture(SafetensorsFile.open(path));
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  Set<String> names() {
    return file.tensors().keySet();
  }

  boolean has(String name) {
    return file.tensors().containsKey(name);
  }

  /** A copy in the innermost scope. */
  Tensor tensor(String name) {
    try (Arena arena = Arena.ofConfined()) {
      TensorInfo info = file.tensor(name);
      return Tensor.copyOf(file.map(name, arena), DTYPES.get(info.dtype()), info.shape());
    }
  }

  byte[] bytes(String name) {
    return tensor(name).toBytes();
  }
}
