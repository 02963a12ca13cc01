package dev.panatune.peft;

import dev.panatune.nn.LayerNorm;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.nn.ResidualJoin;
import dev.panatune.tensor.Autocast;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * One adapter layer: {@code up(activation(down(x)))} with the additions and norms that its
 * configuration asks for. All parameters are float32; the stream keeps its dtype.
 */
final class Bottleneck extends Module implements ResidualJoin {
  private static final double NORM_EPSILON = 1e-5;
  private static final String SCALING = "scaling";

  private final BottleneckConfig config;
  private final UnaryOperator<Tensor> activation;
  private final Optional<LayerNorm> before;
  private final Linear down;
  private final Linear up;
  private final Optional<LayerNorm> after;
  private boolean training;
  private boolean enabled = true;

  /** A fresh one for a model of width {@code hidden}; drawn from the default generator. */
  Bottleneck(BottleneckConfig config, int hidden, int layer) {
    this.config = config;
    activation = BottleneckActivation.of(config.nonLinearity());
    int width = config.reductionFactor().width(hidden, layer);
    switch (config.scaling()) {
      case BottleneckConfig.Scaling.Learned _ -> addOnes(1);
      case BottleneckConfig.Scaling.Channel _ -> addOnes(hidden);
      case BottleneckConfig.Scaling.Fixed _ -> {}
    }
    before = norm("adapter_norm_before", config.lnBefore(), hidden);
    down = config.initWeights().linear(hidden, width, false);
    up = config.initWeights().linear(width, hidden, true);
    // The first place of the sequence is the norm's, where there is one.
    addChild("adapter_down", Sequence.class, new Sequence(config.lnBefore() ? "1" : "0", down));
    addChild("adapter_up", Linear.class, up);
    after = norm("adapter_norm_after", config.lnAfter(), hidden);
  }

  /** A module that only gives its child a place. */
  private static final class Sequence extends Module {
    Sequence(String place, Linear layer) {
      addChild(place, Linear.class, layer);
    }
  }

  private void addOnes(long count) {
    addParameter(SCALING, Tensor.ones(DType.FLOAT32, count).keep());
  }

  private Optional<LayerNorm> norm(String name, boolean wanted, long hidden) {
    if (!wanted) {
      return Optional.empty();
    }
    LayerNorm norm =
        new LayerNorm(
            Tensor.ones(DType.FLOAT32, hidden).keep(),
            Tensor.zeros(DType.FLOAT32, hidden).keep(),
            NORM_EPSILON);
    addChild(name, LayerNorm.class, norm);
    return Optional.of(norm);
  }

  @Override
  public Tensor join(Tensor output, Tensor residual) {
    if (!enabled) {
      return residual.add(output);
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor joined =
          config.isParallel() ? parallel(output, residual) : sequential(output, residual);
      Tensor result = config.originalLnAfter() ? joined.add(residual) : joined;
      return scope.moveToOuter(result.to(residual.dtype()));
    }
  }

  private Tensor sequential(Tensor output, Tensor residual) {
    Tensor input = config.originalLnBefore() ? output.add(residual) : output;
    Tensor own = config.residualBeforeLn() ? output : input;
    Tensor computed = computed(input);
    if (config.adapterResidualBeforeLn()) {
      return normed(computed.add(own));
    }
    return normed(computed).add(own);
  }

  private Tensor parallel(Tensor output, Tensor residual) {
    return normed(computed(residual)).add(output);
  }

  private Tensor computed(Tensor input) {
    // Under autocast the products choose their type.
    Tensor x = Autocast.isEnabled(input.device().kind()) ? input : input.to(DType.FLOAT32);
    Tensor inner = activation.apply(down.forward(before.map(n -> n.forward(x)).orElse(x)));
    Tensor wide = up.forward(inner);
    Tensor scaled =
        config.scaling() instanceof BottleneckConfig.Scaling.Fixed fixed
            ? fixed.factor() == 1 ? wide : wide.mul(fixed.factor())
            : wide.mul(ownParameter(SCALING));
    return training && config.dropout() > 0 ? scaled.dropout(config.dropout()) : scaled;
  }

  private Tensor normed(Tensor values) {
    return after.map(norm -> norm.forward(values)).orElse(values);
  }

  /** Whether dropout is applied. */
  void setTraining(boolean training) {
    this.training = training;
  }

  /** Whether it takes part. */
  void setEnabled(boolean enabled) {
    this.enabled = enabled;
  }
}
