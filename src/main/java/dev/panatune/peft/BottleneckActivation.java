package dev.panatune.peft;

import dev.panatune.nn.Activation;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.Locale;
import java.util.function.UnaryOperator;

/** The non-linearities of adapter layers: those of models, and a few more. */
final class BottleneckActivation {
  private static final double LEAK = 0.01;

  private BottleneckActivation() {}

  /**
   * Returns the function of a {@code non_linearity}.
   *
   * @throws dev.panatune.error.ConfigurationException if it is not known
   */
  static UnaryOperator<Tensor> of(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return switch (lower) {
      case "tanh" -> x -> Op.find("aten::tanh", "").call(x);
      case "sigmoid" -> x -> Op.find("aten::sigmoid", "").call(x);
      case "leakyrelu" -> x -> Op.find("aten::leaky_relu", "").call(x, LEAK);
      default -> Activation.parse(lower)::apply;
    };
  }
}
