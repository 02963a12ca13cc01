package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;

class RotaryEmbeddingTest {
  @Test
  void turnsHalvesAgainstEachOther() {
    try (var rotary = new RotaryEmbedding(new RopeConfig.Standard(10_000), 4, Device.CPU);
        TensorScope _ = TensorScope.open()) {
      Tensor input = Tensor.ofFloats(new float[] {1, 2, 3, 4}, 1, 1, 1, 4);
      float[] turned = rotary.tables(5, 1).rotate(input).toFloats();
      double fast = 5;
      double slow = 5 / 100.0;
      assertArrayEquals(
          new float[] {
            (float) (1 * Math.cos(fast) - 3 * Math.sin(fast)),
            (float) (2 * Math.cos(slow) - 4 * Math.sin(slow)),
            (float) (3 * Math.cos(fast) + 1 * Math.sin(fast)),
            (float) (4 * Math.cos(slow) + 2 * Math.sin(slow))
          },
          turned,
          1e-5f);
    }
  }

  @Test
  void laterTablesContinueEarlierOnes() {
    try (var rotary = new RotaryEmbedding(new RopeConfig.Standard(10_000), 8, Device.CPU);
        TensorScope _ = TensorScope.open()) {
      Tensor whole = rotary.tables(0, 9).sin().narrow(0, 6, 3);
      assertArrayEquals(whole.toFloats(), rotary.tables(6, 3).sin().toFloats());
    }
  }

  @Test
  void keepsTheInputsDtype() {
    try (var rotary = new RotaryEmbedding(new RopeConfig.Standard(10_000), 4, Device.CPU);
        TensorScope _ = TensorScope.open()) {
      Tensor input = Tensor.ones(DType.BFLOAT16, 2, 3, 5, 4);
      Tensor turned = rotary.tables(0, 5).rotate(input);
      assertEquals(DType.BFLOAT16, turned.dtype());
      assertArrayEquals(new long[] {2, 3, 5, 4}, turned.shape());
    }
  }
}
