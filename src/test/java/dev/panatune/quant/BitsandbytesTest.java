package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Rng;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.lang.foreign.SymbolLookup;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoLeaks.class)
class BitsandbytesTest {
  private static SymbolLookup library() {
    Optional<SymbolLookup> found = NativeLibraries.bitsandbytes();
    assumeTrue(found.isPresent(), "bitsandbytes is not installed");
    return found.get();
  }

  @Test
  void theInstalledLibraryDecodesEverythingRight() {
    library();
    assertEquals(List.of(), Bitsandbytes.instance().findings());
  }

  @Test
  void libraryAndKernelDecodeTheSameNumbers() {
    library();
    Rng.seed(5);
    for (QuantType type : QuantType.values()) {
      for (int blockSize : QuantConfig.BLOCK_SIZES) {
        for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16)) {
          QuantConfig config = new QuantConfig(type, blockSize, false, dtype, List.of());
          try (TensorScope _ = TensorScope.open();
              QuantizedTensor weight =
                  QuantizedTensor.quantize(Tensor.randn(DType.FLOAT32, 64, 128), config)) {
            Tensor ours =
                Dequantizer.withKernel(
                    type,
                    weight.packed(),
                    weight.absmax(),
                    weight.code(),
                    blockSize,
                    weight.shape(),
                    dtype);
            Optional<Tensor> theirs =
                Bitsandbytes.instance()
                    .dequantize(
                        type, weight.packed(), weight.absmax(), blockSize, weight.shape(), dtype);
            assertTrue(theirs.isPresent(), type + " at " + blockSize);
            assertTrue(ours.equal(theirs.get()), type + " at " + blockSize + " to " + dtype);
          }
        }
      }
    }
  }

  @Test
  void aTensorWithAPartialBlockIsLeftToTheKernel() {
    try (TensorScope _ = TensorScope.open();
        QuantizedTensor weight =
            QuantizedTensor.quantize(
                Tensor.ones(DType.FLOAT32, 5, 7), QuantConfig.qlora(DType.FLOAT32))) {
      assertTrue(
          Bitsandbytes.instance()
              .dequantize(
                  QuantType.NF4,
                  weight.packed(),
                  weight.absmax(),
                  64,
                  weight.shape(),
                  DType.FLOAT32)
              .isEmpty());
      assertArrayClose(weight.dequantize(DType.FLOAT32));
    }
  }

  private static void assertArrayClose(Tensor ones) {
    assertEquals(35, ones.sum().item(), 0.1);
  }

  @Test
  void withoutTheLibraryTheKernelsDoItsWork() {
    Bitsandbytes none = new Bitsandbytes(Optional.empty());
    assertEquals(1, none.findings().size());
    assertFalse(none.decodes(QuantType.NF4, DType.FLOAT32, 64));
  }

  @Test
  void aMissingFunctionIsNamedAndNotUsed() {
    SymbolLookup library = library();
    SymbolLookup lacking =
        name -> name.endsWith("fp4_bf16") ? Optional.empty() : library.find(name);
    Bitsandbytes older = new Bitsandbytes(Optional.of(lacking));
    assertEquals(1, older.findings().size());
    assertTrue(older.findings().getFirst().contains("cdequantize_blockwise_cpu_fp4_bf16"));
    assertFalse(older.decodes(QuantType.FP4, DType.BFLOAT16, 64));
    assertTrue(older.decodes(QuantType.FP4, DType.FLOAT32, 64));
  }

  @Test
  void aFunctionThatGivesWrongValuesIsNamedAndNotUsed() {
    SymbolLookup library = library();
    SymbolLookup wrong = name -> library.find(name.replace("cpu_nf4_fp32", "cpu_fp4_fp32"));
    Bitsandbytes broken = new Bitsandbytes(Optional.of(wrong));
    assertEquals(1, broken.findings().size());
    assertTrue(broken.findings().getFirst().contains("wrong values"));
    assertFalse(broken.decodes(QuantType.NF4, DType.FLOAT32, 64));
    assertTrue(broken.decodes(QuantType.NF4, DType.BFLOAT16, 64));
  }

  @Test
  void anotherQuantisationOfScalesIsNamed() {
    SymbolLookup library = library();
    SymbolLookup other =
        name ->
            library.find(
                name.replace("cquantize_blockwise_cpu_fp32", "cquantize_blockwise_cpu_bf16"));
    Bitsandbytes older = new Bitsandbytes(Optional.of(other));
    assertEquals(1, older.findings().size());
    assertTrue(older.findings().getFirst().contains("double quantisation"));
    assertTrue(older.decodes(QuantType.NF4, DType.FLOAT32, 64));
  }
}
