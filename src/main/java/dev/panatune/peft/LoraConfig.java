package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * PEFT's {@code LoraConfig}: what of it is supported, under its names.
 *
 * <p>LoRA: Hu et al., 2021, arXiv:2106.09685. The adapted layer computes {@code W x + (alpha / r) B
 * A dropout(x)}.
 *
 * @param r the rank of the update
 * @param loraAlpha the update is scaled by {@code loraAlpha / r}
 * @param loraDropout probability with which an input of the update is zeroed in training
 * @param targetModules which layers get an update; empty for what PEFT takes for the model's family
 * @param excludeModules which do not, though {@code targetModules} fits them
 * @param layersToTransform numbers of the decoder layers that names in {@code targetModules} are
 *     limited to; empty for all
 * @param layersPattern names of the lists of layers that these numbers count in; empty for any
 * @param rankPattern ranks of their own for some layers
 * @param alphaPattern the same of {@code loraAlpha}
 * @param useRslora whether the update is scaled by {@code loraAlpha / sqrt(r)}: Kalajdzievski,
 *     2023, arXiv:2312.03732
 * @param useDora whether magnitude and direction are learnt apart: Liu et al., 2024,
 *     arXiv:2402.09353
 * @param loraBias whether B has a bias
 * @param fanInFanOut whether layers store their weight as [in, out]; the layers know themselves, it
 *     is only told
 * @param initLoraWeights what a fresh adapter starts with
 * @param bias which biases of the base are trained too
 * @param modulesToSave names of modules that are trained and saved whole
 * @param trainableTokenIndices tokens whose embeddings are trained
 */
public record LoraConfig(
    int r,
    double loraAlpha,
    double loraDropout,
    Optional<TargetModules> targetModules,
    Optional<TargetModules> excludeModules,
    List<Integer> layersToTransform,
    List<String> layersPattern,
    PatternMap<Integer> rankPattern,
    PatternMap<Double> alphaPattern,
    boolean useRslora,
    boolean useDora,
    boolean loraBias,
    boolean fanInFanOut,
    LoraInit initLoraWeights,
    LoraBias bias,
    List<String> modulesToSave,
    TrainableTokens trainableTokenIndices)
    implements PeftConfig {

  /**
   * @throws ConfigurationException if a number is out of its range, or options do not go together
   */
  public LoraConfig {
    requireRank("r", r);
    rankPattern.values().forEach((key, rank) -> requireRank("rank_pattern: " + key, rank));
    if (!(loraDropout >= 0 && loraDropout < 1)) {
      throw new ConfigurationException(
          "lora_dropout must be at least 0 and below 1, not " + loraDropout);
    }
    requireAlpha("lora_alpha", loraAlpha);
    alphaPattern.values().forEach((key, alpha) -> requireAlpha("alpha_pattern: " + key, alpha));
    layersToTransform = List.copyOf(layersToTransform);
    layersPattern = List.copyOf(layersPattern);
    modulesToSave = List.copyOf(modulesToSave);
    new LayerNumbers(layersToTransform, layersPattern).check(targetModules);
    if (loraBias && useDora) {
      throw new ConfigurationException("lora_bias does not go with use_dora");
    }
    if (loraBias
        && initLoraWeights != LoraInit.Kind.KAIMING
        && initLoraWeights != LoraInit.Kind.RANDOM) {
      throw new ConfigurationException(
          "lora_bias goes with init_lora_weights true or false, not " + initLoraWeights.toJson());
    }
    for (String name : trainableTokenIndices.indices().keySet()) {
      if (modulesToSave.contains(name)) {
        throw new ConfigurationException(
            name + " is in modules_to_save and in trainable_token_indices: only one can be");
      }
    }
  }

  private static void requireRank(String name, int rank) {
    if (rank < 1) {
      throw new ConfigurationException(name + " must be at least 1, not " + rank);
    }
  }

  private static void requireAlpha(String name, double alpha) {
    if (!Double.isFinite(alpha) || alpha <= 0) {
      throw new ConfigurationException(name + " must be above 0, not " + alpha);
    }
  }

  /** An update of all linear layers but the head, without dropout. */
  public static LoraConfig of(int r, double loraAlpha) {
    return fromMap(
        Map.of("r", r, "lora_alpha", loraAlpha, "target_modules", TargetModules.ALL_LINEAR));
  }

  /**
   * The same with other options.
   *
   * @param changes values by PEFT's names, as for {@link #fromMap}; null takes the default
   * @throws ConfigurationException as {@link #fromMap} does
   */
  public LoraConfig with(Map<String, ?> changes) {
    SequencedMap<String, Object> options = new LinkedHashMap<>(toMap());
    options.putAll(changes);
    return fromMap(options);
  }

  /** The same with one other option, under PEFT's name. */
  public LoraConfig with(String option, Object value) {
    SequencedMap<String, Object> change = new LinkedHashMap<>();
    change.put(option, value);
    return with(change);
  }

  /** The same with another choice of layers. */
  public LoraConfig withTargetModules(TargetModules targets) {
    return with("target_modules", targets.toJson());
  }

  /** The same with another dropout. */
  public LoraConfig withDropout(double dropout) {
    return with("lora_dropout", dropout);
  }

  /** The same with other biases trained. */
  public LoraConfig withBias(LoraBias trained) {
    return with("bias", trained.peftName());
  }

  /** The same with modules that are trained whole. */
  public LoraConfig withModulesToSave(String... names) {
    return with("modules_to_save", List.of(names));
  }

  /** The rank of a layer's update, and what it is multiplied by. */
  LoraScale scaleOf(String path) {
    int rank = rankPattern.find(path).orElse(r);
    double alpha = alphaPattern.find(path).orElse(loraAlpha);
    return new LoraScale(rank, useRslora ? alpha / Math.sqrt(rank) : alpha / rank);
  }

  /**
   * The same with the layers that PEFT takes for a family where none are named.
   *
   * @param modelType the family, by transformers' name
   * @throws ConfigurationException if PEFT has no choice for the family
   */
  LoraConfig resolved(String modelType) {
    return targetModules.isPresent() ? this : withTargetModules(LoraDefaults.targets(modelType));
  }

  /** Which modules are adapted, once {@link #resolved}. */
  TargetSelection selection() {
    return new TargetSelection(
        targetModules.orElseThrow(),
        excludeModules,
        new LayerNumbers(layersToTransform, layersPattern),
        modulesToSave);
  }

  /**
   * Reads options under PEFT's names, as people write them in a run's YAML; missing ones take
   * PEFT's defaults.
   *
   * @throws ConfigurationException if a key is unknown (the nearest known one is named), is known
   *     to PEFT but not supported here, or has a value of the wrong type
   */
  public static LoraConfig fromMap(Map<String, ?> options) {
    LoraOptions read = new LoraOptions(options);
    read.refuseUnknown();
    return read.config();
  }

  /**
   * Reads {@code adapter_config.json}'s content. As in PEFT, keys that nobody knows are passed
   * over.
   *
   * @throws ConfigurationException if an option is set that is not supported here
   */
  static LoraConfig fromAdapterConfig(Map<String, ?> json) {
    return new LoraOptions(json).config();
  }

  @Override
  public PeftType peftType() {
    return PeftType.LORA;
  }

  @Override
  public String summary() {
    String kind = useDora ? "a DoRA adapter" : "a LoRA adapter";
    return "%s, r %d, alpha %s".formatted(kind, r, loraAlpha);
  }

  @Override
  public Map<String, Object> toMap() {
    return LoraOptions.write(this);
  }
}
