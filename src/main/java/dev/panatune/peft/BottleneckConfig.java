package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The {@code BnConfig} of AdapterHub's {@code adapters}, under its names: layers with a bottleneck
 * after, or beside, the attention and the MLP.
 *
 * <p>{@code seq_bn}: Pfeiffer et al., 2020, arXiv:2005.00247; {@code double_seq_bn}: Houlsby et
 * al., 2019, arXiv:1902.00751; {@code par_bn}: He et al., 2021, arXiv:2110.04366.
 *
 * @param name the adapter's name, a part of its tensors' names
 * @param mhAdapter whether there is one at the attention
 * @param outputAdapter whether there is one at the MLP
 * @param reductionFactor how many times narrower the bottleneck is than the model
 * @param nonLinearity the activation in the bottleneck
 * @param originalLnBefore whether the residual stream is added before the adapter
 * @param originalLnAfter whether it is added after the adapter
 * @param lnBefore whether a norm of its own comes first
 * @param lnAfter whether a norm of its own comes last
 * @param initWeights how the weights start
 * @param isParallel whether the adapter reads the residual stream instead of what was computed
 * @param scaling what the adapter's output is multiplied by
 * @param residualBeforeLn whether the adapter's own residual is taken before the stream is added
 * @param adapterResidualBeforeLn whether it is added before the norm of {@code lnAfter}
 * @param leaveOut layers without adapters
 * @param dropout probability with which an element of the adapter's output is zeroed in training
 */
public record BottleneckConfig(
    String name,
    boolean mhAdapter,
    boolean outputAdapter,
    ReductionFactor reductionFactor,
    String nonLinearity,
    boolean originalLnBefore,
    boolean originalLnAfter,
    boolean lnBefore,
    boolean lnAfter,
    BottleneckInit initWeights,
    boolean isParallel,
    Scaling scaling,
    boolean residualBeforeLn,
    boolean adapterResidualBeforeLn,
    List<Integer> leaveOut,
    double dropout)
    implements PeftConfig {

  /**
   * How many times narrower the bottleneck is.
   *
   * @param common for layers that are not named
   * @param ofLayers for the layers that are, by number
   */
  public record ReductionFactor(double common, Map<Integer, Double> ofLayers) {
    public ReductionFactor {
      ofLayers = Map.copyOf(ofLayers);
      if (!(common > 0) || ofLayers.values().stream().anyMatch(factor -> !(factor > 0))) {
        throw new ConfigurationException("reduction_factor must be above 0");
      }
    }

    /** The same for all layers. */
    public static ReductionFactor of(double factor) {
      return new ReductionFactor(factor, Map.of());
    }

    /** The width of a layer's bottleneck. */
    int width(int hidden, int layer) {
      return Math.max(1, (int) Math.floor(hidden / ofLayers.getOrDefault(layer, common)));
    }
  }

  /** What the adapter's output is multiplied by. */
  public sealed interface Scaling {
    /** Always the same number. */
    record Fixed(double factor) implements Scaling {}

    /** One learnt number, 1 at first. */
    record Learned() implements Scaling {}

    /** A learnt number a channel, 1 at first. */
    record Channel() implements Scaling {}
  }

  /**
   * @throws ConfigurationException if there is no place for an adapter, or a value is out of range
   */
  public BottleneckConfig {
    leaveOut = List.copyOf(new TreeSet<>(leaveOut));
    BottleneckActivation.of(nonLinearity);
    if (!mhAdapter && !outputAdapter) {
      throw new ConfigurationException(
          "mh_adapter and output_adapter are both false: there is no place for an adapter");
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new ConfigurationException("dropout must be at least 0 and below 1, not " + dropout);
    }
    if (!name.matches("[\\w-]+")) {
      throw new ConfigurationException(
          "name: '" + name + "' must be of letters, digits, _ and -, without a dot");
    }
  }

  /** Reads options under the names of {@code BnConfig}; see {@link PeftConfig#fromMap}. */
  public static BottleneckConfig fromMap(Map<String, ?> options) {
    BottleneckOptions read = new BottleneckOptions(options);
    read.refuseUnknown();
    return read.config();
  }

  @Override
  public PeftType peftType() {
    return PeftType.BOTTLENECK;
  }

  @Override
  public String summary() {
    return "%s adapter layers, 1/%s of the width"
        .formatted(isParallel ? "parallel" : "sequential", reductionFactor.common());
  }

  @Override
  public Map<String, Object> toMap() {
    return BottleneckOptions.write(this);
  }
}
