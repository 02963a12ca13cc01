package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.List;
import java.util.Map;

/**
 * PEFT's {@code LoraConfig}: what of it is supported, under its names.
 *
 * <p>LoRA: Hu et al., 2021, arXiv:2106.09685. The adapted layer computes {@code W x + (alpha / r) B
 * A dropout(x)}.
 *
 * @param r the rank of the update
 * @param loraAlpha the update is scaled by {@code loraAlpha / r}
 * @param loraDropout probability with which an input of the update is zeroed in training
 * @param targetModules which linear layers get an update
 * @param bias which biases are trained too
 * @param modulesToSave names of modules that are trained and saved whole
 */
public record LoraConfig(
    int r,
    double loraAlpha,
    double loraDropout,
    TargetModules targetModules,
    LoraBias bias,
    List<String> modulesToSave)
    implements PeftConfig {

  /**
   * @throws ConfigurationException if a number is out of its range
   */
  public LoraConfig {
    if (r < 1) {
      throw new ConfigurationException("r must be at least 1, not " + r);
    }
    if (!(loraDropout >= 0 && loraDropout < 1)) {
      throw new ConfigurationException(
          "lora_dropout must be at least 0 and below 1, not " + loraDropout);
    }
    if (!Double.isFinite(loraAlpha) || loraAlpha <= 0) {
      throw new ConfigurationException("lora_alpha must be above 0, not " + loraAlpha);
    }
    modulesToSave = List.copyOf(modulesToSave);
  }

  /** An update of all linear layers but the head, without dropout. */
  public static LoraConfig of(int r, double loraAlpha) {
    return new LoraConfig(r, loraAlpha, 0, TargetModules.allLinear(), LoraBias.NONE, List.of());
  }

  /** The same with another choice of layers. */
  public LoraConfig withTargetModules(TargetModules targets) {
    return new LoraConfig(r, loraAlpha, loraDropout, targets, bias, modulesToSave);
  }

  /** The same with another dropout. */
  public LoraConfig withDropout(double dropout) {
    return new LoraConfig(r, loraAlpha, dropout, targetModules, bias, modulesToSave);
  }

  /** The same with other biases trained. */
  public LoraConfig withBias(LoraBias trained) {
    return new LoraConfig(r, loraAlpha, loraDropout, targetModules, trained, modulesToSave);
  }

  /** The same with modules that are trained whole. */
  public LoraConfig withModulesToSave(String... names) {
    return new LoraConfig(r, loraAlpha, loraDropout, targetModules, bias, List.of(names));
  }

  /** What the product of A and B is multiplied by. */
  public double scaling() {
    return loraAlpha / r;
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
    return "a LoRA adapter, r %d, alpha %s".formatted(r, loraAlpha);
  }

  @Override
  public Map<String, Object> toMap() {
    return LoraOptions.write(this);
  }
}
