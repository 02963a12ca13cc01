package dev.panatune.peft;

import dev.panatune.nn.Linear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;

/** How the weights of adapter layers start; all biases start at zero. */
public enum BottleneckInit {
  /** Normal, with a standard deviation of 0.02. */
  BERT("bert"),
  /** As LoRA: uniform downwards (Kaiming, a = sqrt 5), zero upwards. */
  MAM_ADAPTER("mam_adapter"),
  /** Normal with a standard deviation of 0.01, cut at twice that. */
  HOULSBY("houlsby");

  private static final Op UNIFORM = Op.find("aten::uniform_", "");
  private static final Op NORMAL = Op.find("aten::normal_", "");
  private static final Op ERFINV = Op.find("aten::erfinv", "");
  private static final double BERT_DEVIATION = 0.02;
  private static final double HOULSBY_DEVIATION = 0.01;

  /** erf(sqrt 2): the share of a normal distribution within two standard deviations. */
  private static final double WITHIN_TWO = 0.9544997361036416;

  private final String label;

  BottleneckInit(String label) {
    this.label = label;
  }

  /** The name in a configuration. */
  public String label() {
    return label;
  }

  static Optional<BottleneckInit> parse(String name) {
    return Arrays.stream(values()).filter(init -> init.label.equals(name)).findFirst();
  }

  /** A layer from [..., in] to [..., out]. */
  Linear linear(long in, long out, boolean upwards) {
    Tensor weight = Tensor.zeros(DType.FLOAT32, out, in).keep();
    switch (this) {
      case BERT -> NORMAL.run(weight, 0.0, BERT_DEVIATION);
      case MAM_ADAPTER -> {
        double bound = upwards ? 0 : 1 / Math.sqrt(in);
        UNIFORM.run(weight, -bound, bound);
      }
      case HOULSBY -> {
        UNIFORM.run(weight, -WITHIN_TWO, WITHIN_TWO);
        weight.copy_(ERFINV.<Tensor>call(weight).mul(Math.sqrt(2) * HOULSBY_DEVIATION));
      }
    }
    return new Linear(weight, Tensor.zeros(DType.FLOAT32, out).keep());
  }
}
