package dev.panatune.train.optim;

import dev.panatune.quant.DynamicMap;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * AdamW as bitsandbytes 0.50 computes it on the CPU, to the same bits, with moments in 8 or 32
 * bits, in one call for all parameters.
 *
 * <p>In 8 bits the moments of a parameter of 4,096 elements and more are kept as {@link DynamicMap}
 * codes, of which 256 share a scale; smaller parameters, and those of embeddings, keep float32
 * moments. Dettmers et al., 2021, arXiv:2110.02861.
 */
public final class BitsandbytesAdamW extends Optimizer {
  /** bitsandbytes' {@code min_8bit_size}. */
  static final int SMALLEST_PACKED = 4096;

  private final double beta1;
  private final double beta2;
  private final double epsilon;
  private final DynamicMap signed;
  private final DynamicMap unsigned;
  private final List<Trained> parameters = new ArrayList<>();

  /** Looked up once, and only after the native libraries are there. */
  private static final class Ops {
    static final Op ADAMW = Op.find("panatune::bnb_adamw_", "");
  }

  /** A parameter with its moments. */
  private record Trained(String name, Tensor value, double decay, Moments moments) {}

  /**
   * Moments of zero for every parameter.
   *
   * @param groups float32 leaves that require gradients
   * @param packed which parameters may have 8-bit moments, by name; those of embeddings must not
   */
  public BitsandbytesAdamW(
      List<ParameterGroup> groups,
      double beta1,
      double beta2,
      double epsilon,
      Predicate<String> packed) {
    super(groups);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    signed = DynamicMap.signed();
    unsigned = DynamicMap.unsigned();
    for (ParameterGroup group : groups) {
      group
          .parameters()
          .forEach((name, value) -> {
            boolean eightBit = packed.test(name) && value.numel() >= SMALLEST_PACKED;
            Moments moments =
                eightBit ? Moments.packed(value.shape()) : Moments.plain(value.shape());
            parameters.add(new Trained(name, value, group.weightDecay(), moments));
          });
    }
  }

  @Override
  Tensor update(
      Tensor[] gradients, long number, double learningRate, double scale, double maxNorm) {
    return Ops.ADAMW.call(
        all(Trained::value),
        gradients,
        all(parameter -> parameter.moments.state1()),
        all(parameter -> parameter.moments.state2()),
        all(parameter -> parameter.moments.absmax1()),
        all(parameter -> parameter.moments.absmax2()),
        signed.code(),
        unsigned.code(),
        parameters.stream().mapToDouble(Trained::decay).toArray(),
        number,
        learningRate,
        beta1,
        beta2,
        epsilon,
        scale,
        maxNorm);
  }

  private Tensor[] all(Function<Trained, Tensor> tensor) {
    return parameters.stream().map(tensor).toArray(Tensor[]::new);
  }

  /**
   * bitsandbytes' names: {@code state1.NAME} and {@code state2.NAME} of every parameter, {@code
   * absmax1.NAME} and {@code absmax2.NAME} where these are codes.
   */
  @Override
  SequencedMap<String, Tensor> moments() {
    SequencedMap<String, Tensor> moments = new LinkedHashMap<>();
    for (Trained parameter : parameters) {
      parameter
          .moments
          .tensors()
          .forEach((key, tensor) -> moments.put(key + "." + parameter.name, tensor));
    }
    return moments;
  }

  @Override
  public void close() {
    super.close();
    parameters.forEach(parameter -> parameter.moments.close());
    signed.close();
    unsigned.close();
  }
}
