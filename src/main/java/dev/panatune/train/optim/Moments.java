package dev.panatune.train.optim;

import dev.panatune.quant.DynamicMap;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** The running means of a parameter's gradient and of its square, in 32 bits or in 8. */
sealed interface Moments {
  /** How much of the means stays at each step. */
  record Betas(double first, double second) {}

  /** The means after a step, float32, in the innermost scope or the state's own. */
  record Values(Tensor first, Tensor second) {}

  /** Takes a gradient in and returns the means. */
  Values advance(Tensor gradient, Betas betas);

  /** The state by bitsandbytes' names. */
  SequencedMap<String, Tensor> tensors();

  /** Looked up once, and only after the native libraries are there. */
  final class Ops {
    static final Op ADD_PRODUCT = Op.find("aten::addcmul_", "");

    private Ops() {}
  }

  private static void update(Tensor first, Tensor second, Tensor gradient, Betas betas) {
    first.mul_(betas.first).add_(gradient, 1 - betas.first);
    second.mul_(betas.second);
    Ops.ADD_PRODUCT.run(second, gradient, gradient, 1 - betas.second);
  }

  /** As float32 tensors. */
  record Plain(Tensor first, Tensor second) implements Moments {
    Plain(long[] shape) {
      this(Tensor.zeros(DType.FLOAT32, shape).keep(), Tensor.zeros(DType.FLOAT32, shape).keep());
    }

    @Override
    public Values advance(Tensor gradient, Betas betas) {
      update(first, second, gradient, betas);
      return new Values(first, second);
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
      SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("state1", first);
      tensors.put("state2", second);
      return tensors;
    }
  }

  /** As uint8 codes of the parameter's shape and a float32 scale a block. */
  final class Packed implements Moments {
    private final DynamicMap signed;
    private final DynamicMap unsigned;
    private final SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();

    Packed(long[] shape, DynamicMap signed, DynamicMap unsigned) {
      this.signed = signed;
      this.unsigned = unsigned;
      long elements = 1;
      for (long extent : shape) {
        elements *= extent;
      }
      long blocks = DynamicMap.blocks(elements);
      tensors.put("state1", Tensor.zeros(DType.UINT8, shape).keep());
      tensors.put("state2", Tensor.zeros(DType.UINT8, shape).keep());
      tensors.put("absmax1", Tensor.zeros(DType.FLOAT32, blocks).keep());
      tensors.put("absmax2", Tensor.zeros(DType.FLOAT32, blocks).keep());
    }

    /** The step uses the means before they are rounded to codes again, as bitsandbytes does. */
    @Override
    public Values advance(Tensor gradient, Betas betas) {
      Tensor first = signed.decode(tensors.get("state1"), tensors.get("absmax1"));
      Tensor second = unsigned.decode(tensors.get("state2"), tensors.get("absmax2"));
      update(first, second, gradient, betas);
      signed.encode(first, tensors.get("state1"), tensors.get("absmax1"));
      unsigned.encode(second, tensors.get("state2"), tensors.get("absmax2"));
      return new Values(first, second);
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
      return tensors;
    }
  }
}
