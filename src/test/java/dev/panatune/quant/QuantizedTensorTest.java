package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.error.TensorException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(NoLeaks.class)
class QuantizedTensorTest {
  private static final Fixture LINEAR = Fixture.open("linear");
  private static final String NESTED = "nf4_nested.weight";

  /** A saved layer's tensors, in the innermost scope. */
  private static Map<String, Tensor> saved(String weightName) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    LINEAR.names().stream()
        .filter(name -> name.equals(weightName) || name.startsWith(weightName + "."))
        .forEach(name -> tensors.put(name, LINEAR.tensor(name)));
    return tensors;
  }

  @ParameterizedTest
  @ValueSource(strings = {"nf4_flat", "nf4_nested", "fp4_flat", "fp4_nested"})
  void aSavedLayerIsReadAndWrittenAsBitsandbytesWroteIt(String layer) {
    String name = layer + ".weight";
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = saved(name);
      assertTrue(QuantizedTensor.isQuantized(name, tensors.keySet()));
      try (QuantizedTensor weight = QuantizedTensor.fromStateDict(name, tensors, DType.FLOAT32)) {
        tensors.values().forEach(Tensor::close);
        assertArrayEquals(new long[] {24, 40}, weight.shape());
        assertEquals(DType.BFLOAT16, weight.dtype());
        assertEquals(layer.endsWith("nested"), weight.config().doubleQuant());
        assertTrue(weight.dequantize(DType.BFLOAT16).equal(LINEAR.tensor(layer + ".dequantized")));
        assertSameBytes(name, weight.stateDict(name));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nf4_flat", "fp4_flat"})
  void quantisingGivesTheLayerThatBitsandbytesSaved(String layer) {
    String name = layer + ".weight";
    QuantType type = QuantType.parse(layer.substring(0, 3));
    QuantConfig config = new QuantConfig(type, 64, false, DType.FLOAT32, List.of());
    try (TensorScope _ = TensorScope.open();
        QuantizedTensor weight =
            QuantizedTensor.quantize(LINEAR.tensor(layer + ".source"), config)) {
      assertSameBytes(name, weight.stateDict(name));
    }
  }

  private static void assertSameBytes(String name, Map<String, Tensor> written) {
    assertEquals(saved(name).keySet(), written.keySet());
    written.forEach((key, tensor) -> {
      assertArrayEquals(LINEAR.bytes(key), tensor.toBytes(), key);
      assertArrayEquals(LINEAR.tensor(key).shape(), tensor.shape(), key);
    });
  }

  @Test
  void codesInAnotherStorageTypeAreTheSameCodes() {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = saved(NESTED);
      tensors.put(NESTED, tensors.get(NESTED).view(-1).view(DType.BFLOAT16).view(-1, 1));
      try (QuantizedTensor weight = QuantizedTensor.fromStateDict(NESTED, tensors, DType.FLOAT32)) {
        assertSameBytes(NESTED, weight.stateDict(NESTED));
      }
    }
  }

  private static String refusal(Map<String, Tensor> tensors) {
    return assertThrows(
            FormatException.class,
            () -> QuantizedTensor.fromStateDict(NESTED, tensors, DType.FLOAT32))
        .getMessage();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"})
  void aMissingTensorIsNamed(String suffix) {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = saved(NESTED);
      tensors.remove(NESTED + suffix);
      assertTrue(refusal(tensors).contains(NESTED + suffix), suffix);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"})
  void aTensorOfTheWrongSizeIsNamed(String suffix) {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = saved(NESTED);
      tensors.computeIfPresent(NESTED + suffix, (_, t) -> Tensor.cat(0, t, t));
      assertTrue(refusal(tensors).contains(NESTED + suffix), suffix);
    }
  }

  @Test
  void aWeightThatIsNotInFourBitsIsRefused() {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> dense = Map.of(NESTED, Tensor.zeros(DType.FLOAT32, 2, 2));
      assertFalse(QuantizedTensor.isQuantized(NESTED, dense.keySet()));
      assertTrue(refusal(dense).contains("not saved in 4 bits"));
    }
  }

  @Test
  void aTableOfAnotherTypeIsRefused() {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = saved(NESTED);
      tensors.put(NESTED + ".quant_map", Codebooks.of(QuantType.FP4));
      assertTrue(refusal(tensors).contains("not the table of nf4"));
    }
  }

  @Test
  void aStateOfAnotherTypeThanItsNameIsRefused() {
    try (TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> tensors = saved(NESTED);
      String key = QuantState.key(NESTED, QuantType.NF4);
      String json = new String(tensors.get(key).toBytes(), StandardCharsets.UTF_8);
      byte[] changed = json.replace("nf4", "fp4").getBytes(StandardCharsets.UTF_8);
      tensors.put(key, Tensor.ofBytes(changed, changed.length));
      assertTrue(refusal(tensors).contains("fp4"));
    }
  }

  @Test
  void quantisingNeedsLittleMoreMemoryThanItsResult() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor source = Tensor.randn(DType.BFLOAT16, 1024, 1000);
      NativeMemory.resetPeak();
      long before = NativeMemory.liveBytes();
      try (QuantizedTensor weight =
          QuantizedTensor.quantize(source, QuantConfig.qlora(DType.FLOAT32))) {
        assertEquals(weight.byteSize(), NativeMemory.liveBytes() - before);
        long scales = 4 * weight.absmax().numel();
        assertTrue(
            NativeMemory.peakBytes() - before <= weight.byteSize() + 2 * scales + 4096,
            "peak of " + (NativeMemory.peakBytes() - before) + " bytes");
        source.close();
        assertEquals(weight.byteSize() - 2 * 1024 * 1000, NativeMemory.liveBytes() - before);
      }
    }
  }

  @Test
  void closingFreesAllAndIsFineTwice() {
    try (TensorScope _ = TensorScope.open()) {
      long before = NativeMemory.liveBytes();
      Tensor source = Tensor.ones(DType.FLOAT32, 64, 64);
      QuantizedTensor weight = QuantizedTensor.quantize(source, QuantConfig.qlora(DType.FLOAT32));
      source.close();
      weight.close();
      weight.close();
      assertEquals(before, NativeMemory.liveBytes());
      assertThrows(TensorException.class, () -> weight.dequantize(DType.FLOAT32));
    }
  }

  @Test
  void onlyContiguousFloatsAreQuantised() {
    QuantConfig config = QuantConfig.qlora(DType.FLOAT32);
    try (TensorScope _ = TensorScope.open()) {
      for (Tensor wrong :
          List.of(
              Tensor.zeros(DType.FLOAT64, 2, 2),
              Tensor.zeros(DType.INT64, 2, 2),
              Tensor.zeros(DType.FLOAT32, 2, 3).t())) {
        TensorException e =
            assertThrows(TensorException.class, () -> QuantizedTensor.quantize(wrong, config));
        assertTrue(e.getMessage().contains("contiguous"), e.getMessage());
      }
    }
  }

  @Test
  void aWeightThatRequiresGradIsFrozen() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor source = Tensor.randn(DType.FLOAT32, 64, 64).requiresGrad(true);
      try (QuantizedTensor weight =
          QuantizedTensor.quantize(source, QuantConfig.qlora(DType.FLOAT32))) {
        assertFalse(weight.dequantize(DType.FLOAT32).requiresGrad());
        assertEquals(Set.of(false), Set.of(weight.absmax().requiresGrad()));
      }
    }
  }
}
