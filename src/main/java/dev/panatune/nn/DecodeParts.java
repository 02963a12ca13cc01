package dev.panatune.nn;

import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Gathers the weights of a decoder layer in the order in which panatune::decode_block reads them.
 */
final class DecodeParts {
  private static final int NORMS = 6;
  private static final int LINEARS = 7;
  private static final int NUMBERS_OF_A_LINEAR = 4;
  private static final long QUANTIZED = 1;
  private static final long NESTED = 2;
  private static final long BIAS = 4;

  private final List<Tensor> tensors = new ArrayList<>();
  private final long[] layout = new long[NORMS + LINEARS * NUMBERS_OF_A_LINEAR];
  private int numbers;
  private RmsNorm first;

  /** Adds a norm, or notes that there is none; returns whether it is one that the operator has. */
  boolean norm(UnaryLayer layer) {
    if (layer == null) {
      layout[numbers++] = 0;
      return true;
    }
    if (!(layer instanceof RmsNorm norm)) {
      return false;
    }
    if (first == null) {
      first = norm;
    }
    layout[numbers++] = 1;
    tensors.add(norm.weight());
    return norm.epsilon() == first.epsilon() && norm.onePlus() == first.onePlus();
  }

  /** Adds a linear layer; returns whether it is one that the operator has. */
  boolean linear(LinearLayer layer) {
    return switch (layer) {
      case Linear linear -> dense(linear);
      case QuantizedLinear linear -> quantized(linear);
      default -> false;
    };
  }

  private boolean dense(Linear linear) {
    tensors.add(linear.weight());
    describe(linear, 0, 0, linear.bias());
    return true;
  }

  private boolean quantized(QuantizedLinear linear) {
    QuantizedTensor weight = linear.weight();
    Tensor[] operands = weight.operands();
    Arrays.stream(operands).filter(Objects::nonNull).forEach(tensors::add);
    long nested = Arrays.stream(operands).anyMatch(Objects::isNull) ? 0 : NESTED;
    describe(linear, QUANTIZED | nested, weight.config().blockSize(), linear.bias());
    return true;
  }

  private void describe(LinearLayer linear, long kind, long blockSize, Optional<Tensor> bias) {
    bias.ifPresent(tensors::add);
    layout[numbers++] = kind | (bias.isPresent() ? BIAS : 0);
    layout[numbers++] = linear.outFeatures();
    layout[numbers++] = linear.inFeatures();
    layout[numbers++] = blockSize;
  }

  Tensor[] tensors() {
    return tensors.toArray(Tensor[]::new);
  }

  long[] layout() {
    return layout;
  }

  double epsilon() {
    return first == null ? 0 : first.epsilon();
  }

  boolean onePlus() {
    return first != null && first.onePlus();
  }
}
