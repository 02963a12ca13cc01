package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Autograd;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class Conv1DTest {
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "BFLOAT16"})
  void isALinearLayerOfTheTransposedWeight(DType dtype) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor weight = Tensor.randn(DType.FLOAT32, 5, 7).to(dtype).keep();
      Tensor bias = Tensor.randn(DType.FLOAT32, 7).to(dtype).keep();
      Tensor input = Tensor.randn(DType.FLOAT32, 2, 3, 5).to(dtype).requiresGrad(true);
      try (Conv1D layer = new Conv1D(weight, bias);
          Linear linear = new Linear(weight.t().contiguous().keep(), bias.clone().keep())) {
        assertEquals(5, layer.inFeatures());
        assertEquals(7, layer.outFeatures());
        layer.setTrainable(true);
        linear.setTrainable(true);
        Tensor output = layer.forward(input);
        assertArrayEquals(
            linear.forward(input).to(DType.FLOAT32).toFloats(),
            output.to(DType.FLOAT32).toFloats(),
            1e-5f);
        Autograd.backward(output.to(DType.FLOAT32).sum());
        Autograd.backward(linear.forward(input.detach()).to(DType.FLOAT32).sum());
        assertArrayEquals(
            linear.weight().grad().to(DType.FLOAT32).toFloats(),
            layer.weight().grad().t().to(DType.FLOAT32).contiguous().toFloats(),
            1e-5f);
      }
    }
  }

  @Test
  void refusesAWeightThatIsNoMatrix() {
    try (TensorScope _ = TensorScope.open()) {
      Tensor weight = Tensor.zeros(DType.FLOAT32, 3);
      var error = assertThrows(ConfigurationException.class, () -> new Conv1D(weight, null));
      assertEquals("The weight of a Conv1D is [in, out], not [3]", error.getMessage());
    }
  }
}
