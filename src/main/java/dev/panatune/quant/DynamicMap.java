package dev.panatune.quant;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;

/**
 * Eight bits a number: a code of 256 values, denser near zero, times the largest magnitude of each
 * block of 256, bit for bit as bitsandbytes quantises an optimizer's state.
 *
 * <p>Dettmers et al., 2021, arXiv:2110.02861.
 */
public final class DynamicMap implements AutoCloseable {
  /** Numbers that share a scale. */
  public static final int BLOCK_SIZE = 256;

  private static final int DECADES = 7;

  private final Tensor code;

  /** Looked up once, and only after the native libraries are there. */
  private static final class Ops {
    static final Op LINSPACE = Op.find("aten::linspace", "");
    static final Op SORT = Op.find("aten::sort", "");
  }

  private DynamicMap(Tensor code) {
    this.code = code;
  }

  /** The values of both signs: seven decades, each with twice the steps of the one below it. */
  public static DynamicMap signed() {
    try (TensorScope _ = TensorScope.open()) {
      return new DynamicMap(Codebooks.dynamicMap().keep());
    }
  }

  /** The values of one sign, each decade with twice as many steps as in {@link #signed}. */
  public static DynamicMap unsigned() {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      List<Tensor> values = new ArrayList<>();
      for (int decade = 0; decade < DECADES; decade++) {
        Tensor bounds = Ops.LINSPACE.call(0.1, 1.0, (2L << decade) + 1, DType.FLOAT32);
        long steps = bounds.size(0) - 1;
        Tensor means = bounds.narrow(0, 0, steps).add(bounds.narrow(0, 1, steps)).div(2.0);
        values.add(means.mul(Math.pow(10, decade + 1 - DECADES)));
      }
      values.add(Tensor.ofFloats(new float[] {0, 1}, 2));
      Tensor all = Tensor.cat(0, values.toArray(Tensor[]::new));
      return new DynamicMap(Ops.SORT.callAll(all, 0, false)[0].keep());
    }
  }

  /** The values, float32 [256], ascending; the map's own. */
  public Tensor code() {
    return code;
  }

  /** The number of scales of {@code elements} numbers. */
  public static long blocks(long elements) {
    return Math.ceilDiv(elements, BLOCK_SIZE);
  }

  /** Frees the table. */
  @Override
  public void close() {
    code.close();
  }
}
