package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ActivationTest {
  @ParameterizedTest
  @CsvSource({
    "silu, -1, -0.26894142",
    "swish, 2, 1.76159416",
    "gelu, 1, 0.84134475",
    "gelu_pytorch_tanh, 1, 0.84119199",
    "gelu_new, -0.5, -0.15428599",
    "relu, -3, 0",
    "relu, 3, 3",
    "relu2, 3, 9",
    "quick_gelu, 1, 0.84579577",
    "tanh, 1, 0.76159416"
  })
  void computesWhatTheNameSays(String name, double input, double expected) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor x = Tensor.scalar(input, DType.FLOAT64);
      assertEquals(expected, Activation.parse(name).apply(x).item(), 1e-7);
    }
  }

  @Test
  void refusesAnUnknownNameAndListsTheKnown() {
    var error = assertThrows(ConfigurationException.class, () -> Activation.parse("mish"));
    assertEquals(
        "The activation mish is not supported; supported are silu, swish, gelu, gelu_python,"
            + " gelu_pytorch_tanh, gelu_new, gelu_fast, gelu_accurate, gelu_python_tanh, relu,"
            + " relu2, quick_gelu, tanh",
        error.getMessage());
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void gateMultipliesWithTheActivation(Activation activation) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor gate = Tensor.ofFloats(new float[] {-2, -0.5f, 0.25f, 3}, 4);
      Tensor up = Tensor.ofFloats(new float[] {1, -2, 4, 0.5f}, 4);
      assertArrayEquals(
          activation.apply(gate).mul(up).toFloats(), activation.gate(gate, up).toFloats(), 1e-6f);
    }
  }
}
