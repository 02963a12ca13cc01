package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Codes, scales and decoded values are those of bitsandbytes, on every path of the kernels. */
@ExtendWith(NoLeaks.class)
class CodesTest {
  private static final Fixture CODES = Fixture.open("codes");
  private static final Fixture NESTED = Fixture.open("nested");
  private static final String PACKED = ".packed";

  /** A key of the fixture: {@code set.dtype.type.blocksize}. */
  private record Case(String key) {
    private String part(int index) {
      return key.split("\\.")[index];
    }

    String input() {
      return "input." + part(0) + "." + part(1);
    }

    QuantType type() {
      return QuantType.parse(part(2));
    }

    int blockSize() {
      return Integer.parseInt(part(3));
    }

    QuantConfig config() {
      return new QuantConfig(type(), blockSize(), false, DType.FLOAT32, List.of());
    }
  }

  private static List<Case> cases() {
    return CODES.names().stream()
        .filter(name -> name.endsWith(PACKED))
        .map(name -> new Case(name.substring(0, name.length() - PACKED.length())))
        .toList();
  }

  /** Every path that this CPU has. */
  static Stream<String> paths() {
    String chosen = "isa=plain;isa=avx2;isa=avx512;kernels=composite";
    return Stream.of(chosen.split(";")).filter(CodesTest::runs);
  }

  private static boolean runs(String path) {
    try (CpuKernels _ = CpuKernels.choose(path)) {
      return true;
    } catch (TensorException _) {
      return false;
    }
  }

  @Test
  void theFixtureCoversAllTypesBlockSizesAndKindsOfInput() {
    assertEquals(5 * 3 * 2 * 8, cases().size());
  }

  @ParameterizedTest
  @MethodSource("paths")
  void codesAndScalesAreThoseOfBitsandbytes(String path) {
    for (Case each : cases()) {
      try (CpuKernels _ = CpuKernels.choose(path);
          TensorScope _ = TensorScope.open();
          QuantizedTensor weight =
              QuantizedTensor.quantize(CODES.tensor(each.input()), each.config())) {
        assertArrayEquals(
            CODES.bytes(each.key() + PACKED), weight.packed().toBytes(), each.key() + ": codes");
        // Bit for bit, but that all NaNs are one.
        assertArrayEquals(
            CODES.tensor(each.key() + ".absmax").toFloats(),
            weight.absmax().toFloats(),
            each.key() + ": scales");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("paths")
  void decodedValuesAreThoseOfBitsandbytes(String path) {
    int compared = 0;
    for (Case each : cases()) {
      for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16)) {
        String expected = each.key() + ".dequantized." + dtype.torchName();
        if (!CODES.has(expected)) {
          continue;
        }
        try (CpuKernels _ = CpuKernels.choose(path);
            TensorScope _ = TensorScope.open();
            QuantizedTensor weight =
                QuantizedTensor.quantize(CODES.tensor(each.input()), each.config())) {
          Tensor decoded =
              Dequantizer.withKernel(
                  each.type(),
                  weight.packed(),
                  weight.absmax(),
                  weight.code(),
                  each.blockSize(),
                  weight.shape(),
                  dtype);
          // Numbers, not bits: for FP4's second zero the library gives -0, its other backend 0.
          assertTrue(decoded.equal(CODES.tensor(expected)), expected);
          assertTrue(weight.dequantize(dtype).equal(CODES.tensor(expected)), expected);
          compared++;
        }
      }
    }
    assertEquals(2 * 2 * 2 * 3, compared);
  }

  @ParameterizedTest
  @ValueSource(strings = {"nf4", "fp4"})
  void nestedScalesAreThoseOfBitsandbytes(String type) {
    QuantConfig config = new QuantConfig(QuantType.parse(type), 32, true, DType.FLOAT32, List.of());
    try (TensorScope _ = TensorScope.open();
        QuantizedTensor weight = QuantizedTensor.quantize(NESTED.tensor("weight"), config)) {
      NestedScales nested = weight.nested();
      assertArrayEquals(NESTED.bytes(type + ".packed"), weight.packed().toBytes());
      assertArrayEquals(NESTED.bytes(type + ".offset"), nested.offset().toBytes());
      assertArrayEquals(NESTED.bytes(type + ".nested_absmax"), nested.absmax().toBytes());
      assertArrayEquals(NESTED.bytes(type + ".absmax"), weight.absmax().toBytes());
      // Decoded with the fixture's table, for ours may differ in the last bit (see below).
      Map<String, Tensor> saved = weight.stateDict("w");
      saved.put("w.nested_quant_map", NESTED.tensor("dynamic_map"));
      try (QuantizedTensor read = QuantizedTensor.fromStateDict("w", saved, DType.FLOAT32)) {
        assertTrue(
            read.dequantize(DType.BFLOAT16).equal(NESTED.tensor(type + ".dequantized")), type);
      }
    }
  }

  @Test
  void theDynamicMapIsThatOfBitsandbytes() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor map = Codebooks.dynamicMap();
      // linspace rounds its last bit as the CPU's vector width has it.
      assertArrayEquals(
          NESTED.tensor("dynamic_map").toFloats(), map.toFloats(), Math.ulp(1f), "dynamic map");
    }
  }

  @ParameterizedTest
  @MethodSource("paths")
  void blockwiseQuantisationIsThatOfTheLibrary(String path) {
    Op quantize = Op.find("panatune::quantize_blockwise", "");
    Op dequantize = Op.find("panatune::dequantize_blockwise", "");
    for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16)) {
      try (CpuKernels _ = CpuKernels.choose(path);
          TensorScope _ = TensorScope.open()) {
        String prefix = "blockwise." + dtype.torchName() + ".";
        Tensor map = NESTED.tensor("dynamic_map");
        Tensor[] parts = quantize.callAll(NESTED.tensor(prefix + "input"), map, 256);
        assertArrayEquals(NESTED.bytes(prefix + "quantized"), parts[0].toBytes(), prefix);
        assertArrayEquals(NESTED.bytes(prefix + "absmax"), parts[1].toBytes(), prefix);
        Tensor decoded = dequantize.call(parts[0], parts[1], map, 256, dtype);
        assertArrayEquals(
            NESTED.tensor(prefix + "dequantized").toFloats(), decoded.toFloats(), prefix);
      }
    }
  }

  @Test
  void anEmptyWeightHasNoCodes() {
    QuantConfig config = new QuantConfig(QuantType.FP4, 64, false, DType.FLOAT32, List.of());
    try (TensorScope _ = TensorScope.open();
        QuantizedTensor weight =
            QuantizedTensor.quantize(Tensor.empty(DType.FLOAT32, 0, 4), config)) {
      assertEquals(0, weight.packed().numel());
      assertArrayEquals(new long[] {0, 4}, weight.dequantize(DType.FLOAT32).shape());
      assertFalse(weight.numel() > 0);
    }
  }
}
