package dev.panatune.train.optim;

import dev.panatune.quant.DynamicMap;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * The running means of a parameter's gradient and of its square, zero at first: float32 tensors of
 * its shape, or uint8 codes of its shape and a float32 scale a block. The optimizer closes them.
 *
 * @param state1 the mean of the gradient
 * @param state2 the mean of its square
 * @param absmax1 the scales of {@code state1}; empty in 32 bits
 * @param absmax2 the scales of {@code state2}; empty in 32 bits
 */
record Moments(Tensor state1, Tensor state2, Tensor absmax1, Tensor absmax2)
    implements AutoCloseable {
  /** Means in 32 bits. */
  static Moments plain(long[] shape) {
    return of(DType.FLOAT32, shape, 0);
  }

  /** Means in 8 bits. */
  static Moments packed(long[] shape) {
    long elements = Arrays.stream(shape).reduce(1, Math::multiplyExact);
    return of(DType.UINT8, shape, DynamicMap.blocks(elements));
  }

  private static Moments of(DType dtype, long[] shape, long blocks) {
    return new Moments(
        Tensor.zeros(dtype, shape).keep(),
        Tensor.zeros(dtype, shape).keep(),
        Tensor.zeros(DType.FLOAT32, blocks).keep(),
        Tensor.zeros(DType.FLOAT32, blocks).keep());
  }

  /** The state by bitsandbytes' names. */
  SequencedMap<String, Tensor> tensors() {
    SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("state1", state1);
    tensors.put("state2", state2);
    if (absmax1.numel() > 0) {
      tensors.put("absmax1", absmax1);
      tensors.put("absmax2", absmax2);
    }
    return tensors;
  }

  @Override
  public void close() {
    state1.close();
    state2.close();
    absmax1.close();
    absmax2.close();
  }
}
