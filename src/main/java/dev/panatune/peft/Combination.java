package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A new adapter made of others, of LoRA or IA3: PEFT's {@code add_weighted_adapter}. IA3's vectors
 * are added up, each times its weight; there is no other type of it.
 *
 * @param adapters the names of the others
 * @param weights what each counts; negative ones subtract
 * @param type how they are combined
 * @param svdRank the rank of a decomposed sum; empty for the largest of the others
 * @param svdClamp a quantile at which the factors of a decomposed sum are cut; empty for none
 * @param density the share of values that is kept by types that drop some
 * @param majoritySign how a sign is elected: {@code total} or {@code frequency}
 */
public record Combination(
    List<String> adapters,
    List<Double> weights,
    CombinationType type,
    OptionalInt svdRank,
    OptionalDouble svdClamp,
    OptionalDouble density,
    String majoritySign) {
  private static final Op QUANTILE = Op.find("aten::quantile", "scalar");
  private static final Op SVD = Op.find("aten::linalg_svd", "");

  /**
   * @throws ConfigurationException if an option is missing or out of its range
   */
  public Combination {
    adapters = List.copyOf(adapters);
    weights = List.copyOf(weights);
    if (adapters.isEmpty() || adapters.size() != weights.size()) {
      throw new ConfigurationException(
          "%d adapters and %d weights: one weight for each adapter is needed"
              .formatted(adapters.size(), weights.size()));
    }
    // With one adapter there is nothing to combine but to scale it, as in PEFT.
    type = adapters.size() == 1 ? CombinationType.LINEAR : type;
    if (density.isPresent() && !(density.getAsDouble() > 0 && density.getAsDouble() <= 1)) {
      throw new ConfigurationException(
          "density must be above 0 and at most 1, not " + density.getAsDouble());
    }
    if (svdRank.isPresent() && svdRank.getAsInt() < 1) {
      throw new ConfigurationException("svd_rank must be at least 1, not " + svdRank.getAsInt());
    }
    if (svdClamp.isPresent() && !(svdClamp.getAsDouble() > 0 && svdClamp.getAsDouble() <= 1)) {
      throw new ConfigurationException(
          "svd_clamp must be above 0 and at most 1, not " + svdClamp.getAsDouble());
    }
    if (!Set.of("total", "frequency").contains(majoritySign)) {
      throw new ConfigurationException(
          "majority_sign_method must be total or frequency, not " + majoritySign);
    }
  }

  /** Adapters and weights, without the options that only some types have. */
  public static Combination of(CombinationType type, List<String> adapters, List<Double> weights) {
    return new Combination(
        adapters,
        weights,
        type,
        OptionalInt.empty(),
        OptionalDouble.empty(),
        OptionalDouble.empty(),
        "total");
  }

  /** The same with a share of values that is kept. */
  public Combination withDensity(double share) {
    return new Combination(
        adapters, weights, type, svdRank, svdClamp, OptionalDouble.of(share), majoritySign);
  }

  /**
   * The configuration of the new adapter: the first one's, with the layers of all.
   *
   * @param sources all of one method
   */
  PeftConfig config(List<Adapter> sources) {
    return switch (sources.getFirst()) {
      case LoraAdapter _ -> loraConfig(cast(LoraAdapter.class, sources));
      case Ia3Adapter _ -> {
        refuseOptions();
        yield Ia3Combination.config(cast(Ia3Adapter.class, sources));
      }
      default ->
          throw new ConfigurationException(
              "%s is nothing that can be combined: LoRA and IA3 adapters can"
                  .formatted(sources.getFirst().config().summary()));
    };
  }

  private void refuseOptions() {
    boolean plain = svdRank.isEmpty() && svdClamp.isEmpty() && density.isEmpty();
    if (type != CombinationType.LINEAR || !plain) {
      throw new ConfigurationException(
          "IA3 adapters are combined by linear alone, without svd_rank, svd_clamp and density; %s"
                  .formatted(type.peftName())
              + " is of LoRA");
    }
  }

  private static <A extends Adapter> List<A> cast(Class<A> kind, List<Adapter> sources) {
    return sources.stream().map(kind::cast).toList();
  }

  private LoraConfig loraConfig(List<LoraAdapter> sources) {
    sources.forEach(Combination::checkPlain);
    if (type.prunes() && density.isEmpty()) {
      throw new ConfigurationException(type.peftName() + " needs a density, above 0 and at most 1");
    }
    List<Integer> ranks = sources.stream().map(Combination::largestRank).toList();
    int rank =
        switch (type) {
          case CAT -> ranks.stream().mapToInt(it -> it).sum();
          case LINEAR, TIES, DARE_LINEAR, DARE_TIES, MAGNITUDE_PRUNE -> equal(ranks);
          default -> svdRank.orElse(ranks.stream().mapToInt(it -> it).max().orElseThrow());
        };
    // PEFT keeps use_rslora and then scales the result by the root of its rank.
    return sources
        .getFirst()
        .config()
        .with(
            Map.of(
                "r",
                rank,
                "lora_alpha",
                rank,
                "rank_pattern",
                Map.of(),
                "alpha_pattern",
                Map.of(),
                "use_rslora",
                false,
                "init_lora_weights",
                true,
                "target_modules",
                CombinedTargets.of(
                    sources.stream().map(it -> it.config().targetModules()).toList(),
                    sources.stream().map(it -> it.layers().keySet()).toList())));
  }

  private static void checkPlain(LoraAdapter adapter) {
    LoraConfig config = adapter.config();
    Optional<String> unfit =
        config.useDora()
            ? Optional.of("use_dora")
            : config.loraBias()
                ? Optional.of("lora_bias")
                : !adapter.whole().isEmpty()
                    ? Optional.of("modules_to_save or bias")
                    : !config.trainableTokenIndices().isEmpty()
                        ? Optional.of("trainable_token_indices")
                        : Optional.empty();
    if (unfit.isPresent()) {
      throw new ConfigurationException(
          "adapters with %s cannot be combined: only A and B can".formatted(unfit.get()));
    }
  }

  private static int largestRank(LoraAdapter adapter) {
    LoraConfig config = adapter.config();
    return config.rankPattern().values().values().stream().reduce(config.r(), Math::max);
  }

  private int equal(List<Integer> ranks) {
    if (Set.copyOf(ranks).size() != 1) {
      throw new ConfigurationException(
          "%s needs adapters of one rank, and these have %s; cat and svd do not"
              .formatted(type.peftName(), ranks));
    }
    return ranks.getFirst();
  }

  /** Fills the new adapter's tensors. */
  void fill(Adapter added, List<Adapter> sources, TaskArithmetic.Masks masks) {
    if (added instanceof LoraAdapter lora) {
      fill(lora, cast(LoraAdapter.class, sources), masks);
    } else {
      Ia3Combination.fill((Ia3Adapter) added, cast(Ia3Adapter.class, sources), weights);
    }
  }

  private void fill(LoraAdapter added, List<LoraAdapter> sources, TaskArithmetic.Masks masks) {
    TaskArithmetic arithmetic =
        new TaskArithmetic(type, density.orElse(1), majoritySign.equals("frequency"), masks);
    try (GradMode _ = GradMode.disable()) {
      added
          .layers()
          .forEach((path, layer) -> {
            try (TensorScope _ = TensorScope.open()) {
              fill(path, (LoraLayer) layer, sources, arithmetic);
            }
          });
    }
  }

  private void fill(
      String path, LoraLayer target, List<LoraAdapter> sources, TaskArithmetic arithmetic) {
    List<LoraLayer> found = new ArrayList<>();
    List<Double> ofFound = new ArrayList<>();
    for (int i = 0; i < sources.size(); i++) {
      if (sources.get(i).layers().get(path) instanceof LoraLayer layer) {
        found.add(layer);
        ofFound.add(weights.get(i));
      }
    }
    if (found.isEmpty()) {
      throw new ConfigurationException("none of the adapters that are combined has " + path);
    }
    LowRank sum =
        type.decomposes()
            ? decomposed(found, ofFound, arithmetic, (int) target.a().size(0))
            : type == CombinationType.CAT
                ? concatenated(found, ofFound)
                : summed(found, ofFound, arithmetic);
    target.a().zero_().narrow(0, 0, sum.a().size(0)).copy_(sum.a());
    target.b().zero_().narrow(1, 0, sum.b().size(1)).copy_(sum.b());
  }

  private static LowRank concatenated(List<LoraLayer> layers, List<Double> weights) {
    List<Tensor> down = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      down.add(layers.get(i).a().mul(weights.get(i) * layers.get(i).scaling()));
    }
    return new LowRank(
        Tensor.cat(0, down.toArray(Tensor[]::new)),
        Tensor.cat(1, layers.stream().map(LoraLayer::b).toArray(Tensor[]::new)));
  }

  /** A weight is shared between A and B; its sign goes to one of them. */
  private static LowRank summed(
      List<LoraLayer> layers, List<Double> weights, TaskArithmetic arithmetic) {
    List<Double> ofA = new ArrayList<>();
    List<Double> ofB = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      double weight = weights.get(i) * layers.get(i).scaling();
      double root = Math.sqrt(Math.abs(weight));
      ofA.add(weight < 0 ? -root : root);
      ofB.add(root);
    }
    long rank = layers.stream().mapToLong(layer -> layer.a().size(0)).max().orElseThrow();
    return new LowRank(
        arithmetic.sum(layers.stream().map(it -> padded(it.a(), 0, rank)).toList(), ofA),
        arithmetic.sum(layers.stream().map(it -> padded(it.b(), 1, rank)).toList(), ofB));
  }

  private static Tensor padded(Tensor factor, int dim, long rank) {
    if (factor.size(dim) == rank) {
      return factor;
    }
    long[] shape = factor.shape();
    shape[dim] = rank - shape[dim];
    return Tensor.cat(dim, factor, Tensor.zeros(factor.dtype(), shape));
  }

  private LowRank decomposed(
      List<LoraLayer> layers, List<Double> weights, TaskArithmetic arithmetic, int rank) {
    Tensor sum = arithmetic.sum(layers.stream().map(LoraLayer::update).toList(), weights);
    Tensor[] usv = SVD.callAll(sum, false);
    int kept = (int) Math.min(rank, usv[1].numel());
    Tensor b = usv[0].narrow(1, 0, kept).mul(usv[1].narrow(0, 0, kept));
    Tensor a = usv[2].narrow(0, 0, kept);
    if (svdClamp.isEmpty()) {
      return new LowRank(a, b);
    }
    Tensor all = Tensor.cat(0, b.reshape(-1), a.reshape(-1));
    double limit = QUANTILE.call(all, svdClamp.getAsDouble()).item();
    return new LowRank(a.clamp(-limit, limit), b.clamp(-limit, limit));
  }
}
