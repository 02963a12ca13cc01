package dev.panatune.peft;

import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The operator that computes linear layers and their low-rank updates in one: it keeps their common
 * input once and no mask of dropout.
 *
 * <p>It takes LoRA as it is on a linear layer, dense or in 4 bits; not magnitudes (DoRA), biases of
 * B, weights that lie the other way round, or an adapter around another one. Without autocast it
 * takes float32 alone: in lower precision PEFT computes the update in float32.
 */
final class LoraKernel {
  private static final Op LORA_LINEAR = Op.find("panatune::lora_linear", "");

  private LoraKernel() {}

  /** The frozen part of a layer, as the operator takes it. */
  private record Base(Tensor[] parts, Optional<Tensor> bias, Optional<QuantConfig> quantization) {
    static Optional<Base> of(LinearLayer layer) {
      return switch (layer) {
        case Linear dense ->
            Optional.of(new Base(new Tensor[] {dense.weight()}, dense.bias(), Optional.empty()));
        case QuantizedLinear packed ->
            Optional.of(
                new Base(
                    packed.weight().operands(),
                    packed.bias(),
                    Optional.of(packed.weight().config())));
        default -> Optional.empty();
      };
    }

    /** The type that products are computed in without autocast. */
    DType compute() {
      return quantization.map(QuantConfig::computeDtype).orElseGet(() -> parts[0].dtype());
    }
  }

  /**
   * Computes layers that have the same input.
   *
   * @return their outputs in order, in the innermost scope; empty if the operator does not take
   *     them together
   */
  static Optional<Tensor[]> forward(Tensor input, List<? extends LinearLayer> layers) {
    List<LoraLinear> adapted = new ArrayList<>();
    List<Base> bases = new ArrayList<>();
    for (LinearLayer layer : layers) {
      if (!(layer instanceof LoraLinear lora) || !lora.isPlain()) {
        return Optional.empty();
      }
      Optional<Base> base = Base.of(lora.base());
      if (base.isEmpty()) {
        return Optional.empty();
      }
      adapted.add(lora);
      bases.add(base.get());
    }
    boolean alike = bases.stream().map(Base::quantization).distinct().count() == 1;
    boolean typed = Autocast.isEnabled(input.device().kind()) || inFloat32(input, bases);
    return alike && typed ? Optional.of(call(input, adapted, bases)) : Optional.empty();
  }

  private static boolean inFloat32(Tensor input, List<Base> bases) {
    return input.dtype() == DType.FLOAT32
        && bases.stream().allMatch(base -> base.compute() == DType.FLOAT32);
  }

  private static Tensor[] call(Tensor input, List<LoraLinear> layers, List<Base> bases) {
    Optional<QuantConfig> quantization = bases.getFirst().quantization();
    return LORA_LINEAR.callAll(
        input,
        bases.stream().flatMap(base -> Arrays.stream(base.parts())).toArray(Tensor[]::new),
        bases.stream().map(base -> base.bias().orElse(null)).toArray(Tensor[]::new),
        layers.stream().map(LoraLinear::loraA).toArray(Tensor[]::new),
        layers.stream().map(LoraLinear::loraB).toArray(Tensor[]::new),
        layers.stream().mapToDouble(LoraLinear::scaling).toArray(),
        layers.stream().mapToDouble(LoraLinear::activeDropout).toArray(),
        quantization.map(QuantConfig::blockSize).orElse(0),
        quantization.map(QuantConfig::computeDtype).orElse(null));
  }
}
