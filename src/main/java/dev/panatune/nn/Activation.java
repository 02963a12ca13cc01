package dev.panatune.nn;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** The non-linearity of an MLP, by the names that {@code hidden_act} uses. */
public enum Activation {
  /** {@code x * sigmoid(x)}. */
  SILU(Tensor::silu, "silu", "swish"),
  /** {@code x * Phi(x)}, exact. */
  GELU(x -> x.gelu("none"), "gelu", "gelu_python"),
  /** {@code x * Phi(x)} with Phi approximated through tanh. */
  GELU_TANH(
      x -> x.gelu("tanh"),
      "gelu_pytorch_tanh",
      "gelu_new",
      "gelu_fast",
      "gelu_accurate",
      "gelu_python_tanh"),
  /** {@code max(x, 0)}. */
  RELU(Tensor::relu, "relu"),
  /** {@code max(x, 0)^2}. */
  RELU_SQUARED(x -> x.relu().pow(2), "relu2"),
  /** {@code x * sigmoid(1.702 x)}. */
  QUICK_GELU(x -> x.mul(x.mul(1.702).sigmoid()), "quick_gelu"),
  /** The hyperbolic tangent. */
  TANH(Tensor::tanh, "tanh");

  private final UnaryOperator<Tensor> function;
  private final List<String> names;

  Activation(UnaryOperator<Tensor> function, String... names) {
    this.function = function;
    this.names = List.of(names);
  }

  /**
   * Returns the activation of a {@code hidden_act}.
   *
   * @throws ConfigurationException if it is not known; the message lists the known
   */
  public static Activation parse(String name) {
    for (Activation activation : values()) {
      if (activation.names.contains(name)) {
        return activation;
      }
    }
    throw new ConfigurationException(
        "The activation %s is not supported; supported are %s"
            .formatted(
                name,
                Arrays.stream(values())
                    .flatMap(a -> a.names.stream())
                    .collect(Collectors.joining(", "))));
  }

  /** Applies it to each element. */
  public Tensor apply(Tensor input) {
    return function.apply(input);
  }

  /** The name under which panatune::decode_block has it; empty if it has not. */
  Optional<String> decodeName() {
    return switch (this) {
      case SILU -> Optional.of("silu");
      case GELU_TANH -> Optional.of("gelu_tanh");
      default -> Optional.empty();
    };
  }

  /** Returns {@code apply(gate) * up}, of one shape and dtype. */
  public Tensor gate(Tensor gate, Tensor up) {
    return this == SILU ? Kernels.swiglu(gate, up) : apply(gate).mul(up);
  }
}
