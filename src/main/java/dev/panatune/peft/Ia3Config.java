package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * PEFT's {@code IA3Config}, under its names.
 *
 * <p>(IA)³: Liu et al., 2022, arXiv:2205.05638. A learnt vector {@code l} scales what an adapted
 * layer gives, {@code l * (W x + b)}, or, in a feed-forward module, what it takes, {@code W (l * x)
 * + b}.
 *
 * @param targetModules which linear layers get a vector; empty for what PEFT takes for the model's
 *     family
 * @param feedforwardModules which of them scale their input; empty for what PEFT takes for the
 *     model's family
 * @param excludeModules which layers get none although they match
 * @param modulesToSave names of modules that are trained and saved whole
 * @param initIa3Weights whether the vectors start at one, so that nothing changes; otherwise they
 *     are drawn from the standard normal distribution
 */
public record Ia3Config(
    Optional<TargetModules> targetModules,
    Optional<TargetModules> feedforwardModules,
    Optional<TargetModules> excludeModules,
    List<String> modulesToSave,
    boolean initIa3Weights)
    implements PeftConfig {

  /**
   * @throws ConfigurationException if {@code feedforwardModules} has a name that {@code
   *     targetModules} has not
   */
  public Ia3Config {
    modulesToSave = List.copyOf(modulesToSave);
    if (targetModules.orElse(null) instanceof TargetModules.Names targets
        && feedforwardModules.orElse(null) instanceof TargetModules.Names inner
        && !new HashSet<>(targets.names()).containsAll(inner.names())) {
      throw new ConfigurationException(
          "feedforward_modules %s must be a part of target_modules %s"
              .formatted(inner.names(), targets.names()));
    }
  }

  /** Vectors for the layers that PEFT takes for the model's family. */
  public static Ia3Config ofFamily() {
    return new Ia3Config(Optional.empty(), Optional.empty(), Optional.empty(), List.of(), true);
  }

  /** Vectors for layers by name. */
  public static Ia3Config of(TargetModules targets, TargetModules feedforward) {
    return new Ia3Config(
        Optional.of(targets), Optional.of(feedforward), Optional.empty(), List.of(), true);
  }

  /** The same with modules that are trained whole. */
  public Ia3Config withModulesToSave(String... names) {
    return new Ia3Config(
        targetModules, feedforwardModules, excludeModules, List.of(names), initIa3Weights);
  }

  /**
   * The same with the layers that PEFT takes for a family where none are named.
   *
   * @param modelType the family, by transformers' name
   * @throws ConfigurationException if PEFT has no choice for the family
   */
  Ia3Config resolved(String modelType) {
    return new Ia3Config(
        Optional.of(targetModules.orElseGet(() -> Ia3Defaults.targets(modelType))),
        Optional.of(feedforwardModules.orElseGet(() -> Ia3Defaults.feedforward(modelType))),
        excludeModules,
        modulesToSave,
        initIa3Weights);
  }

  /** Whether the layer at a path scales its input; PEFT goes by the end of the path alone. */
  boolean isFeedforward(String path) {
    return switch (feedforwardModules.orElseThrow()) {
      case TargetModules.Names inner -> inner.names().stream().anyMatch(path::endsWith);
      case TargetModules other -> other.matches(path);
    };
  }

  /** Reads options under PEFT's names; see {@link PeftConfig#fromMap}. */
  public static Ia3Config fromMap(Map<String, ?> options) {
    Ia3Options read = new Ia3Options(options);
    read.refuseUnknown();
    return read.config();
  }

  /** Reads {@code adapter_config.json}'s content; keys that nobody knows are passed over. */
  static Ia3Config fromAdapterConfig(Map<String, ?> json) {
    return new Ia3Options(json).config();
  }

  @Override
  public PeftType peftType() {
    return PeftType.IA3;
  }

  @Override
  public String summary() {
    return "an IA3 adapter";
  }

  @Override
  public Map<String, Object> toMap() {
    return Ia3Options.write(this);
  }
}
